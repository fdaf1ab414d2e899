"""Giving checkpoints of a zoo to other tools: ``run.export`` stages a folder that a target fills, then renames it once.

A target is an ``Exporter`` (``contract``), one file each; ``targets`` lists them.
"""

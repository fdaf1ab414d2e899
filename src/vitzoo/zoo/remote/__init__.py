"""Zoos on servers, read without a copy: the catalogue first, then what is asked for, kept on this machine.

``connect`` opens one, ``server`` and ``http``, ``s3``, ``hub`` bring bytes, ``mirror`` and ``pieces`` keep them,
``remote`` is the ``Files`` of such a zoo.
"""

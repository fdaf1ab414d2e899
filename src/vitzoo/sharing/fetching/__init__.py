"""Fetch a published zoo by query from where it lies: its web index, S3, the Hugging Face hub or a folder.

``run.fetch`` does it all; ``survey`` finds members, ``choice`` chooses among them, ``download`` brings one file.
"""

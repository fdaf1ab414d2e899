"""What is computed from checkpoints: predictions, weight statistics, distances, similarity, curvature; all cached.

A measure is a number or an array computed from checkpoints, cached under their digests and the measure's version.
Every definition is in ``docs/measures.md``.
"""

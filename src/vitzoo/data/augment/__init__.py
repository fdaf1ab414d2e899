"""Augmentations, one idea a file, each in two halves.

``draw(rng, n, …)`` makes the parameters of n images from a NumPy generator, so they do not depend on the device;
``apply(images, params)`` is a pure function of a batch [N, 3, H, W] on any device. Floats are in [0, 1].
"""

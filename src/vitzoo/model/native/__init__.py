"""A block of the vision transformer in kernels of our own, for one CPU core.

torch's CPU operations each pass over all activations once, forward and backward, and half of a small model's step is
spent between the matrix products. Here everything between two products is one pass, attention stays in the cache, and
what is cheap to compute again is not kept. Products with weights are torch's, the weights' gradients ours. The source
is C, compiled once for the machine at hand by its own compiler; docs/performance.md has what it is worth.
"""

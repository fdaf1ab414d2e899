"""Trees over a few points: spanning ones, and the same one hung up at another node."""

import numpy as np
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from vitzoo.lineage.truth import NONE


def spanning(squared: np.ndarray) -> np.ndarray:
    """Return the adjacency, bool [n, n], of the cheapest spanning tree of squared distances; equal points join."""
    n = len(squared)
    tiny = np.nextafter(0, 1) if not squared.any() else squared[squared > 0].min() * 1e-9
    weights = np.where(np.eye(n, dtype=bool), 0.0, np.maximum(squared, tiny))  # scipy takes 0 for no edge
    tree = minimum_spanning_tree(weights).toarray() > 0
    return tree | tree.T


def hung(tree: np.ndarray, root: int) -> np.ndarray:
    """Return the parents [n] of a tree, given as its adjacency, with this root.

    >>> hung(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool), 1).tolist()
    [1, -1, 1]
    """
    _, before = breadth_first_order(tree, root, directed=False)
    return np.where(before < 0, NONE, before).astype(np.int64)


def pieces(edges: np.ndarray) -> np.ndarray:
    """Number the connected pieces [n] of a graph, given as its adjacency."""
    return connected_components(edges, directed=False)[1]

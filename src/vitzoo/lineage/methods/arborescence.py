"""The directed spanning tree of least total weight (Edmonds 1967), over networkx."""

import networkx
import numpy as np

from vitzoo.lineage.truth import NONE


def arborescence(weights: np.ndarray) -> np.ndarray:
    """Return each node's parent [n], -1 for the root, in the cheapest tree; ``weights[i, j]`` is that of edge i → j.

    The root is free. Edges of infinite weight are not used; ValueError if there is no tree without them.

    >>> arborescence(np.array([[np.inf, 1, 5], [9, np.inf, 1], [9, 9, np.inf]])).tolist()
    [-1, 0, 1]
    """
    n = len(weights)
    parents = np.full(n, NONE)
    if n > 1:
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(n))
        graph.add_weighted_edges_from(
            (int(i), int(j), float(weights[i, j])) for i, j in np.argwhere(np.isfinite(weights))
        )
        try:
            tree = networkx.minimum_spanning_arborescence(graph)
        except networkx.NetworkXException as error:
            raise ValueError("The edges of finite weight do not reach every node from any one.") from error
        for parent, child in tree.edges:
            parents[child] = parent
    return parents

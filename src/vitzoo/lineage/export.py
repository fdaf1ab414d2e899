"""Lineage in forms that other tools read: JSON (node-link), GraphML, and the Hugging Face hub's ``base_model``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError

if TYPE_CHECKING:
    import networkx


def write_graphml(graph: "networkx.DiGraph", path: Path) -> None:
    """Write a graph as GraphML; InputError if the file cannot be written."""
    import networkx

    try:
        networkx.write_graphml(graph, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}.") from None


def write_json(data: Any, path: Path) -> None:
    """Write plain data as JSON; InputError if the file cannot be written."""
    try:
        path.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}.") from None


def forest(names: Sequence[str], parents: Sequence[int]) -> "networkx.DiGraph":
    """Return a recovered lineage as a graph of models, edges from parent to child.

    >>> sorted(forest(["a", "b"], [-1, 0]).edges)
    [('a', 'b')]
    """
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(names, kind="model")
    graph.add_edges_from(((names[p], names[i]) for i, p in enumerate(parents) if p >= 0), kind="descends")
    return graph


def node_link(graph: "networkx.DiGraph") -> dict[str, Any]:
    """Return nodes and edges as plain data; ``networkx.node_link_graph(data, edges="edges", name="name")`` reads it."""
    import networkx

    return networkx.node_link_data(graph, edges="edges", name="name")


def base_models(graph: "networkx.DiGraph") -> list[dict[str, Any]]:
    """Return what the model card of each member that has a parent, or was merged, says of it on the hub.

    >>> import networkx
    >>> graph = networkx.DiGraph([("sl", "ft", {"kind": "descends"})])
    >>> networkx.set_node_attributes(graph, "member", "kind")
    >>> base_models(graph)
    [{'model': 'ft', 'base_model': 'sl', 'base_model_relation': 'finetune'}]
    """
    edges = [edge for edge in graph.edges(data="kind") if graph.nodes[edge[1]].get("kind") == "member"]
    merged: dict[str, list[str]] = {}
    for parent, child, kind in edges:
        if kind == "merged":
            merged.setdefault(child, []).append(parent)
    return [
        *(
            {"model": child, "base_model": parent, "base_model_relation": "finetune"}
            for parent, child, kind in edges
            if kind == "descends"
        ),
        *({"model": child, "base_model": of, "base_model_relation": "merge"} for child, of in merged.items()),
    ]

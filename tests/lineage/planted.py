"""Families of models whose lineage is known: random walks of weights, forking where a member is fine-tuned."""

from pathlib import Path

import numpy as np

from vitzoo.lineage.evidence import Evidence
from vitzoo.measures import moments
from vitzoo.measures.scopes import Part
from vitzoo.zoo import safetensors_io

PARTS = [
    Part(f"blocks.{i}.{name}.weight", f"blocks.{i}.{name}.weight", 0, (64, 64))
    for i in range(4)
    for name in ("attn.q", "attn.proj")
]
SIZE = sum(part.size for part in PARTS)


def walk(rng: np.random.Generator, start: np.ndarray, steps: list[float]) -> list[np.ndarray]:
    """Return the points of a random walk with steps of these lengths."""
    points = []
    for length in steps:
        step = rng.normal(size=start.shape)
        start = start + length * step / np.linalg.norm(step)
        points.append(start)
    return points


def forest(seed: int, trees: int, runs: int, steps: int, shrink: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """Return weights [n, P] of ``trees`` roots with ``runs`` trainings of ``steps`` checkpoints each, and parents [n].

    Steps shrink by a factor, as those of training do; siblings are independent. The order is shuffled.
    """
    rng = np.random.default_rng(seed)
    points, parents = [], []
    for _ in range(trees):
        root = len(points)
        points.append(rng.normal(size=SIZE))
        parents.append(-1)
        for _ in range(runs):
            first = rng.uniform(40, 80)
            for k, point in enumerate(walk(rng, points[root], [first * shrink**k for k in range(steps)])):
                parents.append(root if k == 0 else len(points) - 1)
                points.append(point)
    order = rng.permutation(len(points))
    place = np.argsort(order)
    shuffled = [-1 if parents[i] < 0 else int(place[parents[i]]) for i in order]
    return np.array([points[i] for i in order]), np.array(shuffled)


def evidence(x: np.ndarray) -> Evidence:
    """Return what is known of weights [n, P], computed the plain way."""
    squared, rows, begin = [], [], 0
    for part in PARTS:
        own = x[:, begin : begin + part.size]
        squared.append(((own[:, None] - own[None, :]) ** 2).sum(-1))
        rows.append(moments.of_rows(own.astype(np.float32)))
        begin += part.size
    return Evidence(PARTS, np.array(squared), np.array(rows))


def write(folder: Path, x: np.ndarray) -> list[Path]:
    """Write weights [n, P] as safetensors files and return their paths."""
    paths = []
    for i, row in enumerate(x.astype(np.float32)):
        tensors, begin = {}, 0
        for part in PARTS:
            tensors[part.name] = row[begin : begin + part.size].reshape(part.shape)
            begin += part.size
        paths.append(folder / f"{i}.safetensors")
        safetensors_io.write(paths[-1], tensors)
    return paths

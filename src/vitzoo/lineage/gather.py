"""Gather what methods may know: one streamed pass over the weights, after a first look at a sample of them."""

from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from vitzoo.errors import InputError
from vitzoo.lineage.evidence import Evidence
from vitzoo.lineage.models import Models
from vitzoo.measures import gram, streaming
from vitzoo.measures.scopes import Part

SAMPLE = 1 << 16  # numbers of a model that are looked at first
NEAR = 0.5  # of the distance that independent models would have: two nearer ones may share a reference
Tell = Callable[[int, int], None]


def gather(models: Models, tell: Tell = lambda done, total: None) -> Evidence:
    """Read all weights once; InputError names a model with values that are not finite. ``tell`` gets (done, total)."""
    with threadpool_limits(1):  # for products this small, waiting for a second thread costs more than it brings
        near = references(sampled(models))
    squared, moments = [], []
    groups = [streaming.plan([{part: runs[part]} for runs in models.runs]) for part in models.parts]
    found = streaming.each(models.paths, groups, near)
    for i, (part, sums) in enumerate(zip(models.parts, found, strict=True)):
        tell(i, len(models.parts))
        bad = np.flatnonzero(~np.isfinite(sums.moments[part]).all(axis=1))
        if len(bad):
            raise InputError(f"{models.paths[bad[0]]} holds values in {part.name} that are not finite. Leave it out.")
        distances, close = gram.distances(sums.products, sums.squares, near)
        squared.append(_exact(distances**2, close, models, part))
        moments.append(sums.moments[part])
    tell(len(models.parts), len(models.parts))
    return Evidence(models.parts, np.array(squared), np.array(moments))


def _exact(squared: np.ndarray, close: Sequence[tuple[int, int]], models: Models, part: Part) -> np.ndarray:
    """Replace the squared distances of pairs that are too close for inner products by those of their differences."""
    if close:
        x = models.read(part)
        for i, j in close:
            d = x[i].astype(np.float64) - x[j]
            squared[i, j] = squared[j, i] = d @ d
    return squared


def sampled(models: Models) -> np.ndarray:
    """Return a few thousand numbers of every model, spread over its parts: float64 [n, S]."""
    sizes = np.array([part.size for part in models.parts])
    share = min(1.0, SAMPLE / sizes.sum())
    counts = [max(1, int(part.size * share)) for part in models.parts]
    runs = [[runs[part] for part in models.parts] for runs in models.runs]
    return streaming.samples(models.paths, runs, counts).astype(np.float64)


def references(x: np.ndarray) -> np.ndarray:
    """Return for each of x [n, S] the index of a model near it, which has none itself, or -1.

    Of a group it is the one that is nearest to the others in the mean of logarithms: where some hardly moved from
    another, it is among them.
    """
    x = np.where(np.isfinite(x), x, 0.0)  # what is not is found, and named, by the pass over all
    squares = (x * x).sum(axis=1)
    squared = np.maximum(squares[:, None] + squares[None, :] - 2 * x @ x.T, 0)
    near = squared < NEAR * (squares[:, None] + squares[None, :])
    score = np.log(squared + 1e-12 * squares[:, None])
    found, left = np.full(len(x), -1), np.ones(len(x), bool)
    while left.any():
        inside = near & left[None, :] & left[:, None]
        hub = int(np.argmax(np.where(left, inside.sum(axis=1), -1)))
        group = np.flatnonzero(inside[hub] | (np.arange(len(x)) == hub))
        hub = int(group[np.argmin(score[np.ix_(group, group)].sum(axis=1))])
        found[group] = hub
        found[hub] = -1
        left[group] = False
    return found

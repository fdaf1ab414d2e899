"""Quantiles of weights, exact, per tensor and per scope, as used on weights by Unterthiner et al. (2020).

Quantile q of n sorted numbers is the value at place q·(n − 1), interpolated between neighbours: NumPy's default. That
of several tensors as one vector is found without sorting them together: bisection over the values that float32 has,
32 steps of counting how many numbers lie below.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from vitzoo.errors import VitzooError
from vitzoo.measures import scopes
from vitzoo.measures.cache import Arrays, Cache, Shape
from vitzoo.measures.files import WeightFile, open_all
from vitzoo.measures.selection import LeftOut, Selection, reason

VERSION = 1
LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
THREADS = 2  # sorting does not hold Python's lock, but each thread holds one model
SMALL = 1 << 16  # tensors with fewer numbers are sorted together: they are many
Tell = Callable[[int, int], None]


@dataclass
class Quantiles:
    """By digest: names of the parts, quantiles of each [T, Q], and of each scope [Q]; what was left out."""

    parts: dict[str, list[str]] = field(default_factory=dict)
    each: dict[str, np.ndarray] = field(default_factory=dict)
    scopes: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    computed: int = 0


def quantiles(selection: Selection, tell: Tell = lambda done, total: None) -> Quantiles:
    """Return the quantiles of a selection's weights at ``LEVELS``; what is cached is not computed again.

    Memory is that of two models. Checkpoints with damaged bytes are left out.
    """
    found = Quantiles()
    files = open_all(selection.rows, selection, found.left_out)
    with ThreadPoolExecutor(THREADS) as pool:
        for done, (file, result) in enumerate(zip(files, pool.map(_one, files), strict=True), 1):
            tell(done, len(files))
            if isinstance(result, LeftOut):
                found.left_out.append(result)
                continue
            arrays, computed = result
            found.computed += computed
            found.parts[file.sha256] = [part.name for part in file.runs]
            found.each[file.sha256] = arrays["each"]
            found.scopes[file.sha256] = {name: arrays[name] for name in scopes.SCOPES}
    return found


def of_sorted(parts: Sequence[np.ndarray], levels: Sequence[float] = LEVELS) -> np.ndarray:
    """Return quantiles [Q] of the union of sorted float32 arrays, float64.

    >>> of_sorted([np.array([1, 4], np.float32), np.array([2, 3], np.float32)], [0.0, 0.5, 1.0]).tolist()
    [1.0, 2.5, 4.0]
    """
    n = sum(len(part) for part in parts)
    places = np.asarray(levels) * (n - 1)
    lower = np.floor(places).astype(np.int64)
    ranks = np.concatenate([lower, np.minimum(lower + 1, n - 1)])
    if len(parts) == 1:
        values = parts[0][ranks].astype(np.float64)
    else:
        values = _search([_ordinals(part) for part in parts], ranks)
    left, right = values[: len(places)], values[len(places) :]
    return left + (right - left) * (places - lower)


def _search(ordered: Sequence[np.ndarray], ranks: np.ndarray) -> np.ndarray:
    """Return the numbers at some ranks of the union of sorted ordinals: the least that enough are not above."""
    low, high = np.full(len(ranks), -(1 << 31)), np.full(len(ranks), (1 << 31) - 1)
    while (low < high).any():
        middle = (low + high) >> 1
        below = np.sum([np.searchsorted(part, middle, side="right") for part in ordered], axis=0)
        enough = below > ranks
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return _values(low)


def _one(file: WeightFile) -> "tuple[Arrays, bool] | LeftOut":
    """Return a checkpoint's quantiles and whether they were computed now, or why there are none."""
    settings = {"parts": [[part.name, list(part.shape)] for part in file.runs], "levels": list(LEVELS)}
    cache = Cache(file.checkpoint.member.zoo, "quantiles", VERSION, settings)
    shapes: dict[str, Shape] = {"each": (len(file.runs), len(LEVELS)), **dict.fromkeys(scopes.SCOPES, (len(LEVELS),))}
    if (cached := cache.get(file.sha256, shapes)) is not None:
        return cached, False
    try:
        file.checkpoint.check()
        tensors = file.checkpoint.tensors()
    except VitzooError as error:
        return LeftOut(file.name, reason(error, file.checkpoint.member.zoo), damaged=True)
    flat = {name: tensor.reshape(-1).astype(np.float32, copy=False) for name, tensor in tensors.items()}
    ordered = {part: np.sort(flat[part.source][part.begin : part.begin + part.size]) for part in file.runs}
    if any(not np.isfinite(values[[0, -1]]).all() for values in ordered.values()):
        return LeftOut(file.name, "it holds values that are not finite", damaged=True)
    each = {part: of_sorted([values]) for part, values in ordered.items()}
    arrays = {"each": np.stack(list(each.values()))}
    for scope in scopes.SCOPES.values():
        inside = [part for part in file.runs if scope.holds(part.name, part.shape)]
        if not inside:
            arrays[scope.name] = np.full(len(LEVELS), np.nan)
        elif scope.how == scopes.AVERAGED:
            arrays[scope.name] = np.mean([each[part] for part in inside], axis=0)
        else:
            arrays[scope.name] = of_sorted(_few([ordered[part] for part in inside]))
    cache.put(file.sha256, arrays)
    return arrays, True


def _few(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Sort small arrays together, so that there are few to search in."""
    small = [part for part in parts if len(part) < SMALL]
    large = [part for part in parts if len(part) >= SMALL]
    return [*large, np.sort(np.concatenate(small))] if small else large


def _ordinals(values: np.ndarray) -> np.ndarray:
    """Map float32 to whole numbers in the same order."""
    bits = (values + np.float32(0)).view(np.int32)  # + 0: there is one zero, not two
    return np.where(bits < 0, np.int32(-(1 << 31)) - bits - 1, bits)


def _values(ordinals: np.ndarray) -> np.ndarray:
    bits = np.where(ordinals < 0, -(1 << 31) - ordinals - 1, ordinals).astype(np.int32)
    return bits.view(np.float32).astype(np.float64)

"""Sentences that several tables say below their rows."""

from vitzoo.measures.measurements import Measurements
from vitzoo.measures.scopes import find

GAP = (
    "Generalisation gap: training minus test accuracy. Clean: training accuracy evaluated without augmentation after "
    "the epoch; online: as it ran during the epoch."
)
AGREEMENT = (
    "Agreement and Cohen's κ are over all pairs of a row's members, n is the number of pairs; pairs share members, "
    "so their deviation is no error of the mean."
)
DISTANCE = "Distances are between backbones, heads left out."


def weights(m: Measurements) -> str:
    """Say which tensors the statistics of weights are over."""
    return f"Weight statistics have the scope {m.scope!r}: {find(m.scope).meaning}. Kurtosis is excess (normal: 0)."


def left_out(m: Measurements) -> tuple[str, ...]:
    """Return all that was left out, as clauses."""
    return tuple(map(str, m.left_out))


def not_compared(missing: int, pairs: int) -> str:
    """Say that pairs have no agreement."""
    return f"{missing} of {pairs} pairs were not evaluated on the same images and are not counted in agreement."


def not_measured(missing: int, pairs: int) -> str:
    """Say that pairs have no distance."""
    return f"{missing} of {pairs} pairs of pre-trained members have other shapes, so no distance, and are not counted."

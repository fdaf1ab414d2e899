"""Recover lineage from weights by any method."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vitzoo.errors import InputError, nearest
from vitzoo.lineage.case import Case
from vitzoo.lineage.methods.modeltree import modeltree
from vitzoo.lineage.methods.mother import mother
from vitzoo.lineage.methods.official import official
from vitzoo.lineage.methods.spectral import spectral
from vitzoo.lineage.methods.spider import spider, trees
from vitzoo.lineage.methods.trivial import chain, nothing
from vitzoo.lineage.truth import NONE


@dataclass(frozen=True)
class Method:
    """A way to recover lineage: its title, and whether it must be told the number of trees or shown images."""

    title: str
    run: Callable[[Case], np.ndarray]
    told: bool = True
    images: bool = False


METHODS = {
    "spider": Method("vitzoo", lambda case: spider(case.evidence), told=False),
    "spider-heads": Method("vitzoo, with shapes of heads", lambda case: spider(case.evidence, case.heads), told=False),
    "mother": Method("MoTHer, Appendix B, κ rises", lambda case: mother(case.evidence, case.trees, rising=True)),
    "mother-falling": Method(
        "MoTHer, Appendix B, κ falls", lambda case: mother(case.evidence, case.trees, rising=False)
    ),
    "official": Method(
        "MoTHer, official, κ falls", lambda case: official(case.differences, case.outlying, case.trees, rising=False)
    ),
    "official-rising": Method(
        "MoTHer, official, κ rises", lambda case: official(case.differences, case.outlying, case.trees, rising=True)
    ),
    "modeltree": Method("MoTHer, ModelTree, κ rises", lambda case: modeltree(case.evidence, case.trees, rising=True)),
    "modeltree-falling": Method(
        "MoTHer, ModelTree, κ falls", lambda case: modeltree(case.evidence, case.trees, rising=False)
    ),
    "spectral": Method("nearest, effective rank", lambda case: spectral(case.evidence, case.ranks, case.trees)),
    "linearised": Method("Neural Lineage, not learned", lambda case: _linearised(case), told=False, images=True),
    "chain": Method("chain by norm", lambda case: chain(case.evidence), told=False),
    "nothing": Method("no edge at all", lambda case: nothing(case.evidence), told=False),
}


BLIND = tuple(name for name, method in METHODS.items() if not method.images)


def _linearised(case: Case) -> np.ndarray:
    from vitzoo.lineage.methods.linearised import linearised  # it needs torch

    return linearised(case.likeness, trees(case.evidence))


def recover(case: Case, method: str = "spider") -> np.ndarray:
    """Return the index of each model's parent [n], -1 where it has none among them.

    InputError if there is no such method, if it must be told a number of trees that cannot be, or if it must be shown
    images and there are none.

    >>> recover(case)  # doctest: +SKIP
    """
    if method not in METHODS:
        raise InputError(f"{method!r} is no method; use {', '.join(METHODS)}.{nearest(method, METHODS)}")
    count = len(case.models)
    if METHODS[method].told and not 1 <= case.trees <= count:
        raise InputError(f"{count} models cannot be {case.trees} trees; give a number up to that of models.")
    return METHODS[method].run(case) if count > 1 else np.array([NONE])

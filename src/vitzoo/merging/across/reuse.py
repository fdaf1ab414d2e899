"""Align backbones once: symmetries found for one configuration's children, applied to those of all others.

Children stay near their backbone, so what turns one of them turns its siblings. How near is measured: the mean of each
configuration's children of several backbones, turned by symmetries that were found without looking at them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vitzoo.errors import InputError
from vitzoo.measures.inference import Places
from vitzoo.measures.plain import finite
from vitzoo.measures.scoring import score_rows
from vitzoo.merging.across import path
from vitzoo.merging.across.benchmark import CONFIGURATION, Row, configurations
from vitzoo.merging.across.mixture import mean
from vitzoo.merging.across.models import exact
from vitzoo.merging.across.run import Site, bring, site
from vitzoo.merging.symmetry.element import Symmetry
from vitzoo.zoo import Zoo


@dataclass(frozen=True)
class Reused:
    """A configuration's children, merged by symmetries of another's: accuracies, and what is retained of theirs.

    ``vanilla``: accuracy of their mean as they are. ``own``: whether the symmetries were found for these.
    """

    configuration: dict[str, Any]
    own: bool
    models: int
    accuracy: float
    vanilla: float
    ends: float
    retained: float

    def plain(self) -> dict[str, Any]:
        """Return everything as plain JSON data."""
        return finite(vars(self))


def reuse(
    zoo: Zoo,
    places: Places,
    method: str = "learned",
    where: str | None = None,
    seed: int = 0,
    tell: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[Reused]:
    """Align all backbones' children of the most accurate configuration, and turn those of all like it by the same.

    Configurations have the same backbones and the same head; the first in the result is the one that was aligned.
    InputError if a method finds no symmetries; others as ``configurations`` and ``site``.
    """
    every = configurations(zoo, where)
    backbones = [row["parent_member"] for row in every[0]]
    alike = [_in_order(rows, backbones) for rows in every if _fits(rows, every[0])]
    place = _site(zoo, alike[0], places)
    symmetries = bring(place.models(range(len(backbones))), method, seed).symmetries
    if symmetries is None:
        raise InputError(f"{method!r} finds no symmetries that could be used again; use 'procrustes' or 'learned'.")
    found = []
    for number, rows in enumerate(alike):
        tell("Merging", number, len(alike))
        found.append(_turned(place if rows is alike[0] else _site(zoo, rows, places), rows, symmetries, number == 0))
    tell("Merging", len(alike), len(alike))
    return found


def _turned(place: Site, rows: Sequence[Row], symmetries: Sequence[Symmetry], own: bool) -> Reused:
    models = [dict(place.layout.views(row)) for row in place.rows]
    turned = [each.apply(exact(model)) for each, model in zip(symmetries, models, strict=True)]
    judged = torch.stack([place.row(mean(each)) for each in (turned, models)] + [*place.rows])
    accuracy = score_rows(place.ground, judged).accuracy
    ends = accuracy[2:]
    return Reused(
        {name: rows[0].get(name) for name in CONFIGURATION},
        own,
        len(models),
        float(accuracy[0]),
        float(accuracy[1]),
        float(ends.mean()),
        path.retained(float(accuracy[0]), ends, place.chance),
    )


def _site(zoo: Zoo, rows: Sequence[Row], places: Places) -> Site:
    return site([zoo.checkpoint(row["member"], row["epoch"]) for row in rows], places)


def _fits(rows: Sequence[Row], others: Sequence[Row]) -> bool:
    same = {row["parent_member"] for row in rows} == {row["parent_member"] for row in others}
    return same and rows[0].get("head") == others[0].get("head")


def _in_order(rows: Sequence[Row], backbones: Sequence[str]) -> list[Row]:
    return sorted(rows, key=lambda row: backbones.index(row["parent_member"]))

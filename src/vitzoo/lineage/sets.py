"""Sets of checkpoints to recover lineage from: the paper's five, and three that are closer to what is met outside.

The paper's (section 4.1): ten pre-trained models with twelve children each, which differ in one factor; where a factor
has fewer than twelve levels, epochs make up the number. What the paper leaves open is settled here: the other factors
are at the levels of ``base``, and epochs are spread evenly over the training up to its last, are its first, or drawn.
A fine-tuned model's checkpoint before training is its parent to the last bit and is in no set.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vitzoo.errors import InputError, nearest
from vitzoo.lineage.truth import Truth, truth

if TYPE_CHECKING:
    from vitzoo.zoo import Zoo

CHILDREN = 12
SPREAD, FIRST, DRAWN = "spread", "first", "drawn"
EPOCHS = (SPREAD, FIRST, DRAWN)
#: The factor that varies in each of the paper's sets; none but the epoch in the first.
FACTORS = {"epochs": None, "seed": "seed", "lr": "lr", "head": "head", "optimizer": "optimizer"}
#: Levels of the other factors, where a zoo has them; else its first. AdamW at the middle rate is the paper's example.
BASE = {"optimizer": "adamw", "head": "linear"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """Checkpoints in an order that says nothing, as rows of the catalogue, and their true lineage."""

    name: str
    rows: list[Row]
    truth: Truth

    @property
    def trees(self) -> int:
        """Number of true trees."""
        return len(np.unique(self.truth.tree))


def sample(zoo: "Zoo", name: str, epochs: str = SPREAD, children: int = CHILDREN, seed: int = 0) -> Sample:
    """Draw a set from a zoo; InputError if there is no such set, or the zoo has nothing to draw it from.

    ``epochs`` says which of a training's are taken. The rows are shuffled by ``seed``, which also draws what is drawn.
    """
    if name not in SETS:
        raise InputError(f"{name!r} is no set; use {', '.join(SETS)}.{nearest(name, SETS)}")
    if epochs not in EPOCHS:
        raise InputError(f"{epochs!r} is no choice of epochs; use {', '.join(EPOCHS)}.{nearest(epochs, EPOCHS)}")
    rng = np.random.default_rng([seed, list(SETS).index(name)])
    families = _families(zoo)
    if not families:
        raise InputError(f"{zoo.place} has no finished member with finished children, so no lineage to recover.")
    chosen = SETS[name](families, epochs, children, rng)
    order = rng.permutation(len(chosen))
    rows = [chosen[i] for i in order]
    return Sample(name, rows, truth(rows))


@dataclass(frozen=True)
class Family:
    """A pre-trained model's checkpoint, and its children's trainings, each a list of rows by epoch, after epoch 0."""

    root: Row
    runs: list[list[Row]]

    def levels(self, factor: str) -> list[Any]:
        """List a factor's levels among the children."""
        return sorted({run[0][factor] for run in self.runs}, key=lambda level: (str(type(level)), level))


def _families(zoo: "Zoo") -> list[Family]:
    """Find the pre-trained checkpoints that have children, in the catalogue's order."""
    rows = [row for row in zoo.rows() if row["status"] == "finished"]
    own = {(row["member"], row["epoch"]): row for row in rows}
    runs: dict[str, list[Row]] = {}
    for row in rows:
        if row["parent_member"] is not None and row["epoch"] > 0:
            runs.setdefault(row["member"], []).append(row)
    families: dict[tuple[str, int], Family] = {}
    for run in runs.values():
        origin = (run[0]["parent_member"], run[0]["parent_epoch"])
        if origin in own:
            families.setdefault(origin, Family(own[origin], [])).runs.append(sorted(run, key=lambda row: row["epoch"]))
    return list(families.values())


def _varied(factor: str | None) -> "Build":
    """Build one of the paper's sets: in each family the runs at base levels that differ in one factor."""

    def build(families: Sequence[Family], epochs: str, children: int, rng: np.random.Generator) -> list[Row]:
        rows = []
        for family in families:
            runs = _at_base(family, factor)
            rows.append(family.root)
            for run, count in zip(runs, _shares(children, len(runs)), strict=True):
                rows += _pick(run, count, epochs, rng)
        return rows

    return build


def _at_base(family: Family, factor: str | None) -> list[list[Row]]:
    """Return the runs whose factors, but for one, are at their base levels."""
    base = {name: _base(family, name) for name in FACTORS.values() if name not in (None, factor)}
    return [run for run in family.runs if all(run[0][name] == level for name, level in base.items())]


def _base(family: Family, factor: str) -> Any:
    levels = family.levels(factor)
    return BASE[factor] if BASE.get(factor) in levels else levels[len(levels) // 2] if factor == "lr" else levels[0]


def _shares(total: int, parts: int) -> list[int]:
    """Split a number into parts that differ by one at most.

    >>> _shares(12, 5)
    [3, 3, 2, 2, 2]
    """
    return [total // parts + (i < total % parts) for i in range(parts)]


def _pick(run: list[Row], count: int, epochs: str, rng: np.random.Generator) -> list[Row]:
    """Take that many epochs of a run, or all if it has fewer."""
    n = len(run)
    if count >= n:
        return run
    if epochs == FIRST:
        return run[:count]
    if epochs == DRAWN:
        return [run[i] for i in sorted(rng.choice(n, count, replace=False))]
    return [run[round((i + 1) * n / count) - 1] for i in range(count)]


def _mixed(families: Sequence[Family], epochs: str, children: int, rng: np.random.Generator) -> list[Row]:
    """Draw children from all runs and epochs of a family."""
    rows = []
    for family in families:
        pool = [row for run in family.runs for row in run]
        drawn = rng.choice(len(pool), min(children, len(pool)), replace=False)
        rows += [family.root, *(pool[i] for i in drawn)]
    return rows


def _last(families: Sequence[Family], epochs: str, children: int, rng: np.random.Generator) -> list[Row]:
    """Take every run's last checkpoint: no trajectories."""
    return [row for family in families for row in (family.root, *(run[-1] for run in family.runs))]


def _missing(families: Sequence[Family], epochs: str, children: int, rng: np.random.Generator) -> list[Row]:
    """Take some families only, half of them without their root, and one child of a family that is otherwise absent."""
    order = rng.permutation(len(families))
    count = max(2, rng.integers(len(families) // 2, len(families))) if len(families) > 2 else len(families)
    rows = []
    for place, i in enumerate(order[:count]):
        some = _mixed([families[i]], epochs, children, rng)
        rows += some if place % 2 == 0 else some[1:]
    if count < len(families):
        rows += _mixed([families[order[-1]]], epochs, 1, rng)[1:]
    return rows


Build = Callable[[Sequence[Family], str, int, np.random.Generator], list[Row]]
#: The paper's five sets in its order, then all factors mixed, last checkpoints only, and missing parents.
SETS: dict[str, Build] = {
    **{name: _varied(factor) for name, factor in FACTORS.items()},
    "mixed": _mixed,
    "last": _last,
    "missing": _missing,
}

"""What averages did, put into tables beside what the averaged do."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vitzoo.measures.factors import OF_PARENT, with_factors
from vitzoo.measures.selection import LeftOut, Row
from vitzoo.merging.study.averages import Averages
from vitzoo.merging.study.family import NOTHING, Family, Result
from vitzoo.merging.study.plan import Soup, Trajectory

PARENT = ("parent_member", "parent_sha256", *OF_PARENT)
FACTORS = ("optimizer", "lr", "head", "seed", "batch_size", "weight_decay", "epochs")
SCORES = ("average", "average_loss", "best", "mean")
NOT_FINITE = "the outputs of the average are not finite"
Named = Mapping[str, Row]  # the factors of members and of their parents, by name


def tabulate(name: str, last: int, families: Sequence[Family], left_out: Sequence[LeftOut], note: str = "") -> Averages:
    """Return the tables of some families; every thing that is left out has one reason."""
    members, mixed, course, lost = [], [], [], list(left_out)
    for family in families:
        rows = with_factors([one.last for one in family.trajectories], family.judge.selection)
        factors = {row["member"]: {column: row.get(column) for column in (*PARENT, *FACTORS)} for row in rows}
        for one in family.trajectories:
            plain, average = family.of_windows(one, 1), family.of_windows(one, last)
            members += _member(one, plain, average, one.windows(last), factors)
            course += _course(one, plain, average)
        mixed += [_soup(soup, family, factors) for soup in family.soups()]
        lost += [*family.judge.shelf.left_out.values(), *_not_finite(family)]
    reasons = {out.what: out for out in reversed(lost)}
    soups = pd.DataFrame(mixed, columns=["factor", "levels", "members", *PARENT, *FACTORS, *SCORES])
    return Averages(
        name,
        last,
        pd.DataFrame(members, columns=["member", *PARENT, *FACTORS, *SCORES, "final", "gap"]),
        soups[soups["average"].notna()].reset_index(drop=True),
        pd.DataFrame(course, columns=["member", "parent_member", "epoch", "plain", "average"]),
        tuple(reversed(reasons.values())),
        (note,) if note else (),
    )


def _member(
    one: Trajectory,
    plain: Mapping[int, Result],
    average: Mapping[int, Result],
    windows: Mapping[int, tuple[Row, ...]],
    factors: Named,
) -> Iterator[Row]:
    """Describe the average of a member's last checkpoints, if there is one."""
    end = one.planned[-1]
    accuracy, loss = average.get(end, NOTHING)
    if np.isnan(accuracy):
        return
    averaged = [plain.get(row["epoch"], NOTHING)[0] for row in windows[end]]
    final, train = plain.get(end, NOTHING)[0], one.last.get("train_acc_clean")
    gap = float("nan") if train is None else float(train) - final
    scores = (accuracy, loss, max(averaged), float(np.mean(averaged)))
    yield {
        "member": one.name,
        **factors[one.name],
        **dict(zip(SCORES, scores, strict=True)),
        "final": final,
        "gap": gap,
    }


def _course(one: Trajectory, plain: Mapping[int, Result], average: Mapping[int, Result]) -> Iterator[Row]:
    for epoch in one.planned:
        alone, together = plain.get(epoch, NOTHING)[0], average.get(epoch, NOTHING)[0]
        if not np.isnan(alone):
            names = {"member": one.name, "parent_member": one.last["parent_member"]}
            yield {**names, "epoch": epoch, "plain": alone, "average": together}


def _soup(soup: Soup, family: Family, factors: Named) -> Row:
    names = tuple(row["member"] for row in soup.rows)
    by_name = {one.name: one for one in family.trajectories}
    alone = [family.of_windows(by_name[name], 1).get(by_name[name].planned[-1], NOTHING)[0] for name in names]
    shared: dict[str, Any] = {**factors[names[0]], soup.factor: None} if soup.factor in FACTORS else factors[names[0]]
    scores = (*family.of_soup(soup), max(alone), float(np.mean(alone)))
    return {
        "factor": soup.factor,
        "levels": soup.levels,
        "members": names,
        **shared,
        **dict(zip(SCORES, scores, strict=True)),
    }


def _not_finite(family: Family) -> Iterator[LeftOut]:
    """Name the averages of sound checkpoints that have outputs which are not finite."""
    sound = family.judge.shelf.is_sound
    for one in family.trajectories:
        for size in (1, family.last):
            results, windows = family.of_windows(one, size), one.windows(size)
            for epoch, (accuracy, _) in results.items():
                if np.isnan(accuracy) and all(map(sound, windows[epoch])):
                    yield LeftOut(f"{one.name}, {size} checkpoints up to epoch {epoch}", NOT_FINITE)
    for soup in family.soups():
        scores = family.scores.get(family.key(soup))
        if scores is not None and np.isnan(scores.accuracy[0]):
            yield LeftOut(f"soup of {' and '.join(row['member'] for row in soup.rows)}", NOT_FINITE)

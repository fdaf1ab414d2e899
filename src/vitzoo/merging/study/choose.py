"""Which members are averaged: finished, supervised, fine-tuned ones, those that are evaluated alike together."""

from collections.abc import Sequence
from dataclasses import dataclass

from vitzoo.blueprint.recipe import Recipe
from vitzoo.errors import InputError
from vitzoo.measures.inference import groups, recipe_of
from vitzoo.measures.selection import LeftOut, Row, Selection, select
from vitzoo.merging.study.plan import Trajectory
from vitzoo.zoo import Zoo


@dataclass
class Choice:
    """Trajectories with a recipe that says how they are evaluated, and what is left out so far."""

    selection: Selection
    found: list[tuple[Recipe, list[Trajectory]]]
    left_out: list[LeftOut]


def choose(zoo: Zoo) -> Choice:
    """Return the trajectories of a zoo; InputError if there is none."""
    rows = zoo.rows(None, ["stage", "epoch"])
    # Not "all": of whole numbers only finished members count, and those that do not are named.
    selection = select(zoo, sorted({row["epoch"] for row in rows if row["stage"] == "finetuning"} - {0}))
    choice = Choice(selection, [], list(selection.left_out))
    tuned = [row for row in selection.rows if row["stage"] == "finetuning"]
    for recipe, alike in groups(Selection(zoo, tuned, []), choice.left_out):
        trajectories = _trajectories(selection, recipe, alike, choice.left_out)
        if trajectories:
            choice.found.append((recipe, trajectories))
    if not choice.found:
        raise InputError(
            f"{zoo.name} has no finished fine-tuned member whose checkpoints could be averaged. Grow it first."
        )
    return choice


def check_length(choice: Choice, last: int) -> None:
    """Leave out members with fewer checkpoints than an average is of; InputError if that is true of all."""
    if last < 2:
        raise InputError(f"An average over epochs takes at least 2 checkpoints, not {last}.")
    every = [one for _, trajectories in choice.found for one in trajectories]
    longest = max(len(one.planned) for one in every)
    if longest < last:
        hint = f"Choose at most {longest}." if longest > 1 else "Keep more when the zoo is grown."
        raise InputError(f"No member keeps {last} checkpoints of its fine-tuning; the most is {longest}. {hint}")
    why = f"it keeps fewer than {last} checkpoints of its fine-tuning, so there is no average over epochs"
    choice.left_out += [LeftOut(one.name, why) for one in every if len(one.planned) < last]


def _trajectories(
    selection: Selection, recipe: Recipe, rows: Sequence[Row], left_out: list[LeftOut]
) -> list[Trajectory]:
    by_member: dict[str, dict[int, Row]] = {}
    for row in rows:
        by_member.setdefault(row["member"], {})[row["epoch"]] = row
    if recipe.hyperparameters.task != "supervised":
        left_out += [LeftOut(name, "it predicts no classes, so it has no test accuracy") for name in by_member]
        return []
    found = []
    for own in by_member.values():
        one = Trajectory(recipe_of(selection.member(next(iter(own.values())))), own)
        left_out += _missing(one, left_out)
        if one.planned[-1] in own:
            found.append(one)
    return found


def _missing(one: Trajectory, known: Sequence[LeftOut]) -> list[LeftOut]:
    """Name the checkpoints that should be there and are not, unless that is said already."""
    said = {out.what for out in known}
    names = [f"{one.name}, epoch {epoch}" for epoch in one.planned if epoch not in one.rows]
    return [LeftOut(name, "it is missing", damaged=True) for name in names if name not in said]

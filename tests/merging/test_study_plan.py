"""Which averages there are: soups against all pairs of the paper's grid, windows against every slice."""

from collections import Counter
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitzoo.blueprint import expand, load
from vitzoo.blueprint.recipe import Recipe
from vitzoo.merging.study.plan import Trajectory, soups
from vitzoo.zoo.rows import factors


def trajectory(recipe: Recipe, **more: Any) -> Trajectory:
    row = {"member": recipe.id, "parent_member": recipe.parent, "parent_sha256": recipe.parent, "sha256": recipe.id}
    epochs = recipe.checkpoints.epochs(recipe.hyperparameters.epochs)
    return Trajectory(recipe, {epoch: {**row, "epoch": epoch, **more} for epoch in epochs if epoch})


GRID = expand(load("nano"))[1]


@pytest.fixture
def grid() -> list[Recipe]:
    return GRID


def differing(a: Recipe, b: Recipe) -> set[str]:
    """Name the columns of the catalogue in which two recipes differ; an optimizer's own settings go with it."""
    one, other = (factors(recipe.model_dump(mode="json")) | {"parent": recipe.parent} for recipe in (a, b))
    found = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    return {"optimizer" if name == "momentum" else name for name in found}


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_soups_of_the_papers_grid(grid: list[Recipe], head: str) -> None:
    own = {recipe.id: recipe for recipe in grid if recipe.architecture.head.kind == head}
    found = soups(trajectory(recipe) for recipe in own.values())
    assert Counter(soup.factor for soup in found) == {"seed": 60, "lr": 40, "optimizer": 60}
    assert {(soup.factor, len(soup.rows)) for soup in found} == {("seed", 2), ("lr", 3), ("optimizer", 2)}
    # Every pair that differs in one factor alone is in one soup, and no other pair is in any.
    expected = Counter()
    for a, b in combinations(own.values(), 2):
        if len(names := differing(a, b)) == 1 and names != {"parent"}:
            expected[names.pop(), frozenset((a.id, b.id))] += 1
    pairs = [
        (soup.factor, frozenset(pair))
        for soup in found
        for pair in combinations([row["member"] for row in soup.rows], 2)
    ]
    assert Counter(pairs) == expected


def test_levels_are_those_of_the_members(grid: list[Recipe]) -> None:
    own = {recipe.id: recipe for recipe in grid if recipe.architecture.head.kind == "linear"}
    for soup in soups(trajectory(recipe) for recipe in own.values()):
        for row, level in zip(soup.rows, soup.levels, strict=True):
            value = getattr(own[row["member"]].hyperparameters, soup.factor)
            assert (level[0] if soup.factor == "optimizer" else level) == value


def test_children_of_other_checkpoints_are_not_mixed(grid: list[Recipe]) -> None:
    """Two children of one backbone that were initialised from different weights of it are no soup."""
    a, b = [r for r in grid if r.parent == grid[0].parent and differing(r, grid[0]) <= {"seed"}]
    assert len(soups([trajectory(a), trajectory(b)])) == 1
    assert soups([trajectory(a), trajectory(b, parent_sha256="other")]) == []


@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 6), st.sets(st.integers(1, 12)), st.booleans())
def test_windows_are_slices_without_holes(last: int, every: int, size: int, lost: set[int], initial: bool) -> None:
    recipe = GRID[0]
    hyper = recipe.hyperparameters.model_copy(update={"epochs": last})
    kept = recipe.checkpoints.model_copy(update={"every": every, "initial": initial})
    whole = trajectory(recipe.model_copy(update={"hyperparameters": hyper, "checkpoints": kept}))
    one = Trajectory(whole.recipe, {epoch: row for epoch, row in whole.rows.items() if epoch not in lost})
    expected = {}
    for end in range(len(whole.planned)):
        window = [whole.planned[i] for i in range(end - size + 1, end + 1) if i >= 0]
        if len(window) == size and not lost & set(window):
            expected[whole.planned[end]] = window
    assert {epoch: [row["epoch"] for row in rows] for epoch, rows in one.windows(size).items()} == expected

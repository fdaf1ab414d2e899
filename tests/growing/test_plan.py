"""The laws of populations: a partition, in order, of bounded and balanced size, for any recipes."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitzoo.blueprint import Recipe, expand, load
from vitzoo.growing.grow import weight
from vitzoo.growing.plan import Population, make_plan, populations, shared_factors

NANO = make_plan(load("nano")).members
SOME = st.lists(st.sampled_from(NANO), unique_by=lambda recipe: recipe.id)


def groups(found: list[Population]) -> dict[str, list[Population]]:
    result: dict[str, list[Population]] = {}
    for population in found:
        result.setdefault(shared_factors(population.members[0]), []).append(population)
    return result


@settings(deadline=None)
@given(SOME, st.integers(1, 70))
def test_laws(recipes: list[Recipe], stack: int) -> None:
    found = populations(recipes, lambda recipe: stack)
    members = [recipe.id for population in found for recipe in population.members]
    assert sorted(members) == sorted(recipe.id for recipe in recipes)
    by_seed = sorted(recipes, key=lambda recipe: recipe.hyperparameters.seed)
    place = {recipe.id: i for i, recipe in enumerate(by_seed)}
    for population in found:
        assert len({shared_factors(recipe) for recipe in population.members}) == 1
        places = [place[recipe.id] for recipe in population.members]
        assert places == sorted(places)
    for group in groups(found).values():
        sizes = [len(population.members) for population in group]
        assert max(sizes) <= stack
        assert max(sizes) - min(sizes) <= 1
        assert len(sizes) == -(-sum(sizes) // stack)
        spans = [sorted(place[recipe.id] for recipe in population.members) for population in group]
        assert all(before[-1] < after[0] for before, after in itertools.pairwise(spans))


def test_a_stack_shares_all_but_parent_and_optimiser() -> None:
    found = populations(make_plan(load("paper")).members, lambda recipe: 60)
    assert sorted(len(population.members) for population in found) == [1, 2, 2, 5, 60, 60, 60, 60]
    varied = found[-1].members
    assert len({r.parent for r in varied}) == len(found[-1].parents) == 10
    assert len({(r.hyperparameters.optimizer, r.hyperparameters.lr) for r in varied}) == 6
    assert len({(r.hyperparameters.seed, r.architecture.head.kind) for r in varied}) == 1


def test_ids_tell_populations_apart() -> None:
    found = populations(NANO, lambda recipe: 7)
    assert len({population.id for population in found}) == len(found)
    assert [p.id for p in found] == [p.id for p in populations(NANO, lambda recipe: 7)]
    assert {(p.stage, bool(p.parents)) for p in found} == {("pretraining", False), ("finetuning", True)}


def test_a_stack_holds_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least one"):
        populations(NANO, lambda recipe: 0)


def test_plan_keeps_the_order_of_the_blueprint() -> None:
    blueprint = load("nano")
    pretraining, finetuning = expand(blueprint)
    assert make_plan(blueprint).members == (*pretraining, *finetuning)


def test_members_whose_images_nobody_has_counted_weigh_as_others_do() -> None:
    """Half a zoo without a number of images must not make the rest look like centuries."""
    counted = NANO[0]
    other = counted.dataset.model_copy(update={"source": "npz:x.npz", "classes": 10, "fractals": None})
    uncounted = counted.model_copy(update={"dataset": other})
    assert 0.01 < weight(uncounted) / weight(counted) < 1000

"""No two parts of a split share an ancestor, whatever is asked, and the split is the same everywhere."""

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vit_zoo import ROOTS, SOUPS

from vitzoo.errors import InputError
from vitzoo.torch import Checkpoints, Stream, folds, split
from vitzoo.torch.families import assign, families

SEEDS = {f"pre-{name}": seed for name, seed, _ in ROOTS}
WHERES = (None, "stage = 'finetuning'", "optimizer = 'adamw'", "epoch = 1", "stage = 'merging' OR lr < 0.15")


def ancestors(zoo, name):
    """All that a member came of, and itself, by NetworkX on the zoo's graph."""
    import networkx

    graph = zoo.lineage()
    return {name} | {node for node in networkx.ancestors(graph, name) if graph.nodes[node]["kind"] == "member"}


def names(data):
    return {row["member"] for row in data.rows}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.sampled_from(WHERES),
    fractions=st.sampled_from([(0.5, 0.5), (0.34, 0.33, 0.33), (0.7, 0.3)]),
    seed=st.integers(0, 10_000),
    by=st.sampled_from(["seed", "root"]),
)
def test_no_two_parts_share_an_ancestor(zoo, where, fractions, seed, by):
    data = Checkpoints(zoo, where, epochs="all", part="backbone")
    try:
        parts = split(data, fractions, seed, by)
    except InputError as error:
        assert "has no checkpoint of this dataset" in str(error)
        return
    above = [set().union(*(ancestors(zoo, name) for name in names(part))) for part in parts]
    started = [{SEEDS[name] for name in each if name in SEEDS} for each in above]
    for i in range(len(parts)):
        for j in range(i):
            assert not above[i] & above[j]
            assert by == "root" or not started[i] & started[j]
    left = names(data) - set().union(*map(names, parts))
    assert left <= set(SOUPS)
    assert {out.what for part in parts for out in part.left_out} >= {f"{name}, epoch 0" for name in left}
    rows = [(row["member"], row["epoch"]) for part in parts for row in part.rows]
    assert len(rows) == len(set(rows)) == sum(row["member"] not in left for row in data.rows)


def test_a_soup_goes_where_all_its_ancestors_are(zoo):
    assert {name: len(kin) for name, kin in families(zoo).items() if name in SOUPS} == {
        "soup-a": 1,
        "soup-ab": 1,  # of two trees, whose roots began with the same weights
        "soup-bc": 2,
    }
    assert len(families(zoo, "root")["soup-ab"]) == 2
    found = set()
    for seed in range(20):
        train, test = split(Checkpoints(zoo, part="backbone"), (0.67, 0.33), seed)
        for name in SOUPS:
            homes = [part for part in (train, test) if name in names(part)]
            parents = {part for part in (train, test) for edge in zoo.member(name).merge["ingredients"]
                       if edge["member"] in names(part)}  # fmt: skip
            assert len(homes) == (len(parents) == 1) and (not homes or homes == list(parents))
            found.add((name, len(homes)))
    assert found == {("soup-a", 1), ("soup-ab", 1), ("soup-bc", 0), ("soup-bc", 1)}


def test_queries_to_one_zoo_split_alike(zoo):
    for seed in range(5):
        sgd, all_of = (split(Checkpoints(zoo, w, part="backbone"), (0.67, 0.33), seed) for w in (WHERES[2], None))
        assert names(sgd[0]) <= names(all_of[0]) and names(sgd[1]) <= names(all_of[1])


@given(st.lists(st.text(min_size=1), min_size=2, max_size=12, unique=True), st.randoms(), st.integers(0, 99))
def test_the_order_of_families_does_not_matter(found, random, seed):
    other = list(found)
    random.shuffle(other)
    parts = assign(found, (0.5, 0.5), seed)
    assert parts == assign(other, (0.5, 0.5), seed)
    assert abs(2 * sum(parts.values()) - len(found)) <= 1


def test_another_process_splits_alike():
    """Golden, too: a split that a paper names must stay what it is."""
    text = "from vitzoo.torch.families import assign; print(assign([f'seed {i}' for i in range(6)], (.5, .25, .25), 7))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(assign([f"seed {i}" for i in range(6)], (0.5, 0.25, 0.25), 7)) == GOLDEN


GOLDEN = "{'seed 3': 0, 'seed 2': 0, 'seed 0': 0, 'seed 5': 1, 'seed 1': 2, 'seed 4': 2}"


def test_parts_are_datasets_with_the_same_levels(zoo):
    data = Stream(zoo, part="backbone", targets=("test_acc", "member"))
    train, test = split(data, (0.67, 0.33), 1)
    assert isinstance(train, Stream) and train.levels == test.levels == data.levels
    for part in (train, test):
        for (_, y), row in zip(sorted(part, key=lambda item: int(item[1]["member"])), rows_by_name(part), strict=True):
            assert part.levels["member"][y["member"]] == row["member"]
            assert float(y["test_acc"]) == pytest.approx(row["test_acc"])


def rows_by_name(part):
    return sorted(part.rows, key=lambda row: row["member"])


@pytest.mark.parametrize(("by", "count"), [("seed", 3), ("root", 4)])
def test_folds_leave_each_family_out_once(zoo, by, count):
    data = Checkpoints(zoo, "stage <> 'merging'", part="backbone")
    tested = [names(test) for _, test in folds(data, by)]
    assert len(tested) == count and set().union(*tested) == names(data) and sum(map(len, tested)) == len(data)
    assert all(names(train) == names(data) - names(test) for train, test in folds(data, by))


@pytest.mark.parametrize(
    ("fractions", "by", "said"),
    [
        ((0.5, 0.4), "seed", "no shares"),
        ((), "seed", "no shares"),
        ((1.2, -0.2), "seed", "no shares"),
        ((0.97, 0.03), "seed", r"3 families cannot be split into 2 parts of \[0.97, 0.03\]: one would be empty"),
        ((0.5, 0.5), "name", "'name' is no way"),
    ],
)
def test_splits_that_cannot_be(zoo, fractions, by, said):
    with pytest.raises(InputError, match=said):
        split(Checkpoints(zoo, part="backbone"), fractions, by=by)
    with pytest.raises(InputError, match="has no checkpoint of this dataset"):
        split(Checkpoints(zoo, "lr = 0.2", part="backbone"), (0.5, 0.5))

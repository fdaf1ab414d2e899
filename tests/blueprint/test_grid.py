"""The grid against itertools, and its errors."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitzoo.blueprint.grid import cells, replace
from vitzoo.blueprint.schema import Finetuning
from vitzoo.errors import BlueprintError

LR, SEED, BATCH, EPOCHS = (f"hyperparameters.{name}" for name in ("lr", "seed", "batch_size", "epochs"))
VALUES = st.lists(st.integers(), min_size=1, max_size=4)


def expand(node: Any) -> list[dict[str, Any]]:
    return cells(node, Finetuning, "finetuning")


def test_no_grid_is_one_cell() -> None:
    assert expand(None) == [{}]


@given(VALUES, VALUES, VALUES)
def test_product_is_that_of_itertools(a: list[int], b: list[int], c: list[int]) -> None:
    expected = [dict(zip((LR, SEED, BATCH), row, strict=True)) for row in itertools.product(a, b, c)]
    assert expand({"product": {LR: a, SEED: b, BATCH: c}}) == expected
    assert expand({"product": [{"product": {LR: a}}, {"zip": {SEED: b}}, {"chain": [{"zip": {BATCH: c}}]}]}) == expected


@given(st.lists(st.tuples(st.integers(), st.integers()), min_size=1, max_size=5))
def test_zip_goes_in_step(rows: list[tuple[int, int]]) -> None:
    first, second = (list(column) for column in zip(*rows, strict=True))
    expected = [{SEED: a, BATCH: b} for a, b in rows]
    assert expand({"zip": {SEED: first, BATCH: second}}) == expected
    assert expand({"zip": [{"zip": {SEED: first}}, {"product": {BATCH: second}}]}) == expected


@given(VALUES, VALUES)
def test_chain_concatenates(a: list[int], b: list[int]) -> None:
    node = {"chain": [{"zip": {LR: a}}, {"product": {LR: b, SEED: [1]}}]}
    assert expand(node) == [{LR: value} for value in a] + [{LR: value, SEED: 1} for value in b]


@pytest.mark.parametrize(
    ("node", "part"),
    [
        (3, "finetuning.grid is 3; expected exactly one of product, zip and chain"),
        ({}, "expected exactly one of"),
        ({"product": {LR: [1]}, "zip": {SEED: [1]}}, "expected exactly one of"),
        ({"prodct": {LR: [1]}}, "Did you mean 'product'"),
        ({"product": {}}, "finetuning.grid.product is empty"),
        ({"chain": []}, "finetuning.grid.chain is empty"),
        ({"product": {LR: []}}, r"finetuning.grid.product.hyperparameters.lr is empty"),
        ({"product": {LR: 3}}, "expected a list of values"),
        ({"product": 3}, "expected a mapping of field paths to lists, or a list of nodes"),
        ({"chain": {LR: [1]}}, "expected a list of nodes"),
        ({"chain": [3]}, r"finetuning.grid.chain\[0\] is 3"),
        ({"zip": {LR: [1], SEED: [1, 2]}}, "not hyperparameters.lr: 1, hyperparameters.seed: 2"),
        ({"product": {"hyperparameters.lrr": [1]}}, "Did you mean 'finetuning.hyperparameters.lr'"),
        ({"product": {"": [1]}}, "is not a field"),
        ({"product": [{"zip": {LR: [1]}}, {"zip": {LR: [1]}}]}, "sets hyperparameters.lr twice"),
        ({"product": {"architecture.head": [1], "architecture.head.kind": [1]}}, "sets architecture.head.kind twice"),
        ({"product": {"architecture.head.kind": [1], "architecture.head": [1]}}, "sets architecture.head twice"),
        ({"product": {LR: [1] * 1000, SEED: [1] * 1000}}, "1,000,000 cells"),
    ],
)
def test_refuses(node: Any, part: str) -> None:
    with pytest.raises(BlueprintError, match=part):
        expand(node)


def test_replace_makes_missing_objects_and_leaves_the_base_alone() -> None:
    base = {"a": {"b": 1}, "c": None}
    assert replace(base, {"a.b": 2, "c.d.e": 3}) == {"a": {"b": 2}, "c": {"d": {"e": 3}}}
    assert base == {"a": {"b": 1}, "c": None}

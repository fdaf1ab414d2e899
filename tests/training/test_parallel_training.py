"""What a team of processes trains is what one process trains: real processes, connected by gloo."""

from typing import Any

import numpy as np
import pytest
import torch
from little_population import without_key_bias
from little_team import CASES, Case, life, lives

from vitzoo.training.team import Team

BOUND = {"float64": 1e-9, "float32": 1e-3, "bf16": 5e-2}


@pytest.fixture(scope="module")
def teams() -> list[list[tuple[Any, Any]]]:
    return lives(2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_team_is_one_process(case: Case, teams: list[list[tuple[Any, Any]]]) -> None:
    torch.set_num_threads(1)
    alone = life(case)
    flat, metrics = teams[0][CASES.index(case)]
    ours, theirs = without_key_bias(torch.from_numpy(flat), case.head), without_key_bias(alone.state.flat, case.head)
    bound = BOUND[case.precision]
    assert (ours - theirs).norm() <= bound * theirs.norm()
    for mine, its in zip(metrics, alone.metrics, strict=True):
        assert mine.keys() == its.keys()
        for name in its.keys() - {"images_per_second"}:
            assert mine[name] == pytest.approx(its[name], rel=bound, abs=bound * name.count("acc"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_processes_hold_the_same_bits(case: Case, teams: list[list[tuple[Any, Any]]]) -> None:
    first, second = (found[CASES.index(case)] for found in teams)
    assert np.array_equal(first[0], second[0])
    assert [{**line, "images_per_second": 0} for line in first[1]] == [
        {**line, "images_per_second": 0} for line in second[1]
    ]


def test_going_on_gives_the_same_bits(teams: list[list[tuple[Any, Any]]]) -> None:
    names = [case.name for case in CASES]
    whole, again = (teams[0][names.index(name)][0] for name in ("contrastive", "goes on"))
    assert np.array_equal(whole, again)


def test_shares_of_a_team_are_the_batch() -> None:
    for size in range(1, 6):
        for n in range(12):
            spans = [Team(rank, size).share(n) for rank in range(size)]
            assert [i for span in spans for i in range(n)[span]] == list(range(n))

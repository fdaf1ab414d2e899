"""The probe: which ways are tried, that a clear winner is taken, and that the answer is kept."""

from pathlib import Path

import pytest

from vitzoo.blueprint import expand, load
from vitzoo.growing import probe
from vitzoo.growing.execution import Execution
from vitzoo.growing.probe import Way, choose, settle, ways, worthwhile

CPU = Execution(device="cpu", precision="bf16", tokens=8192, kernels="native")


def members(preset: str, **overrides: str) -> list:
    return [recipe for stage in expand(load(preset, [f"{k}={v}" for k, v in overrides.items()])) for recipe in stage]


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "available_cores", lambda: 4)


def test_one_at_a_time_and_larger_stacks_are_tried_beside_the_usual_one() -> None:
    assert [way.members for way in ways(members("nano"), CPU)] == [30, 1, 120]


def test_ways_that_would_train_the_same_stacks_are_tried_once() -> None:
    assert [way.members for way in ways(members("paper"), CPU)] == [1]


def test_threads_are_tried_where_cores_would_be_idle() -> None:
    alone = members("paper")[:1]
    assert [(way.processes, way.execution.threads, way.execution.kernels) for way in ways(alone, CPU)] == [
        (4, 1, "native"),
        (1, 4, "torch"),
    ]


def test_never_slower_than_one_at_a_time() -> None:
    found = [Way(CPU, 30, 4, 50.0), Way(CPU, 1, 4, 100.0), Way(CPU, 120, 4, 40.0)]
    assert choose(found).members == 1


def test_the_answer_is_measured_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fake(groups, execution, processes, seconds):
        calls.append([len(group) for group in groups])
        return [probe.replace(Way(execution, 0, 0), rate=float(len(group) == 1)) for group in groups]

    monkeypatch.setattr(probe, "measure_all", fake)
    said: list[str] = []
    nano = members("nano")
    first = settle(nano, CPU, tmp_path, said.append)
    assert (first.tokens, calls, len(said)) == (1, [[30, 1, 120] * probe.ROUNDS], 1)
    assert settle(nano, CPU, tmp_path, said.append) == first
    assert len(calls) == len(said) == 1


def test_short_plans_are_not_probed() -> None:
    assert worthwhile(members("nano"))
    one = members("nano", **{"pretraining.hyperparameters.epochs": "1", "finetuning.hyperparameters.epochs": "1"})[:1]
    assert not worthwhile(one)


def test_ways_are_measured_for_real() -> None:
    recipe = members("nano")[-1]
    (found,) = probe.measured(recipe, [Way(Execution(device="cpu", precision="float32", tokens=512), 2, 1)])
    assert found.rate > 1e6

"""Calibration: FLOP/s of training steps, measured in as many processes as would grow the zoo."""

import json
import time
from pathlib import Path

import pytest

from vitzoo.blueprint import expand, load
from vitzoo.blueprint.recipe import Recipe
from vitzoo.cli.main import main
from vitzoo.growing import calibrate
from vitzoo.growing.calibrate import Measured, Stopwatch, _Enough, batch_size, measure, rates
from vitzoo.growing.execution import Execution
from vitzoo.growing.plan import populations
from vitzoo.model.shapes import forward_macs

CPU = Execution(device="cpu", precision="float32", tokens=512)


@pytest.fixture
def recipes(blueprint: Path) -> list[Recipe]:
    return [recipe for stage in expand(load(blueprint)) for recipe in stage]


@pytest.mark.parametrize("which", [0, 1, 2], ids=["supervised", "contrastive", "finetuning"])
def test_a_rate_is_measured(which: int, recipes: list[Recipe]) -> None:
    begun = time.perf_counter()
    rate = measure(recipes[which], CPU, seconds=0.05)
    assert 1e6 < rate < 1e13
    assert time.perf_counter() - begun < 10


def test_the_stopwatch_counts_whole_training_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(calibrate.time, "perf_counter", lambda: now[0])
    watch = Stopwatch(5.5, lambda: None)
    beats = [(1.0, 9.0)]  # evaluation before the first epoch
    beats += [(i / 4, 1.0) for i in range(4)] + [(1.0, 7.0)]  # an epoch, and its evaluation
    beats += [(i / 4, 1.0) for i in range(4)] + [(1.0, 7.0)]
    for share, seconds in beats:
        watch.beat(share)
        now[0] += seconds
    assert (watch.steps, watch.seconds) == (6 - calibrate.WARM_UP, 5.0)
    watch.beat(0.0)
    now[0] += 1.0
    with pytest.raises(_Enough):
        watch.beat(0.25)


def test_large_models_are_measured_on_smaller_batches(recipes: list[Recipe]) -> None:
    vit_s = expand(load("paper"))[0][0]
    small = batch_size(vit_s, CPU, 1, 1.0)
    assert 2 <= small < vit_s.hyperparameters.batch_size
    assert small == 2 or 6 * forward_macs(vit_s.architecture) * small <= calibrate.GUESS["cpu"] / 2
    assert small % 2 == 0
    assert batch_size(recipes[0], CPU, 1, 1.0) == recipes[0].hyperparameters.batch_size


def test_every_architecture_is_represented_by_its_most_expensive_population(recipes: list[Recipe]) -> None:
    groups = [population.members for population in populations(recipes, lambda recipe: 3)]
    chosen = calibrate._representatives(groups)
    assert len(chosen) == len({recipe.architecture for recipe in recipes}) == 3
    assert [len(group) for group in chosen] == [2, 1, 2]  # supervised and linear fine-tuning have one shape


def test_rates_do_not_depend_on_initialisation(recipes: list[Recipe]) -> None:
    arch = recipes[0].architecture
    other = recipes[0].model_copy(update={"architecture": arch.model_copy(update={"init": "released"})})
    found = rates([Measured(arch, 5.0, 2, 1, 32)], [recipes[0], other])
    assert set(found.values()) == {5.0}
    assert len(found) == 2


def test_plan_calibrate_states_what_was_measured(
    blueprint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitzoo.cli.plan.CALIBRATION_SECONDS", 0.3)
    assert main(["plan", str(blueprint), "--calibrate", "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert "Measuring architecture 1 of 3." in err
    measured = result["calibration"]["measured"]
    assert len(measured) == 3 and all(row["rate"] > 0 for row in measured)
    assert {row["rate"] for row in result["architectures"]} == {row["rate"] for row in measured}
    assert result["total"]["seconds"] == pytest.approx(result["total"]["flop"] / result["rate"])


def test_the_text_states_it_too(
    blueprint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(groups, execution, processes, seconds, tell):
        return [Measured(g[0].architecture, 2.5e9, processes, len(g), 32) for g in calibrate._representatives(groups)]

    monkeypatch.setattr(calibrate, "calibrate", fake)
    assert main(["plan", str(blueprint), "--calibrate"]) == 0
    out = capsys.readouterr().out
    assert "Measured here" in out and "2.5" in out and "at once" in out and "assumed" not in out


def test_measuring_and_giving_a_rate_exclude_each_other(blueprint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(blueprint), "--calibrate", "--gflops", "5"]) == 3
    assert "--gflops" in capsys.readouterr().err


@pytest.mark.slow
def test_the_papers_model_is_measured_in_reasonable_time(capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.perf_counter()
    assert main(["plan", "paper", "--calibrate", "--json"]) == 0
    assert time.perf_counter() - begun < 60
    assert json.loads(capsys.readouterr().out)["rate"] > 1e9

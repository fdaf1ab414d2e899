"""Populations trained by two processes each: the same members, and nobody hangs or is left over."""

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import team_grow
import torch
from little_grow import FIXED, Growing, alive, children, command_line, hashes, vitzoo, wait_until
from safetensors.torch import load_file

from vitzoo.errors import DataError
from vitzoo.growing.company import CompanionLost, company
from vitzoo.growing.events import Note
from vitzoo.growing.execution import Execution


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pair") / "pair.yaml"
    path.write_text(team_grow.TEXT)
    return path


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, pair: Path, cache: Path) -> Path:
    """A zoo grown by teams of two in one go."""
    zoo = tmp_path_factory.mktemp("together") / "zoo"
    vitzoo(cache, "grow", pair, "--zoo", zoo, *FIXED, "--workers", "1", "--devices", "2")
    return zoo


def companions(growing: Growing) -> list[int]:
    """Process ids of the others in the teams of all workers."""
    return [pid for worker in growing.workers() for pid in children(worker) if "spawn_main" in command_line(pid)]


def without_key_bias(path: Path) -> torch.Tensor:
    """Weights of a checkpoint as one row, but for what softmax ignores and AdamW moves by rounding noise."""
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if name.endswith("qkv.bias"):
            tensor[len(tensor) // 3 : 2 * len(tensor) // 3] = 0
    return torch.cat([tensor.flatten() for _, tensor in sorted(tensors.items())])


def test_two_processes_grow_what_one_grows(tmp_path: Path, pair: Path, cache: Path, together: Path) -> None:
    team_grow.begin(tmp_path / "zoo", pair, devices=1)
    vitzoo(cache, "grow", pair, "--zoo", tmp_path / "zoo", "--workers", "1")
    assert hashes(tmp_path / "zoo").keys() == hashes(together).keys()
    for path in hashes(together):
        ours, theirs = without_key_bias(together / path), without_key_bias(tmp_path / "zoo" / path)
        assert (ours - theirs).norm() <= 1e-4 * theirs.norm(), path
    assert vitzoo(cache, "verify", together, "--deep").returncode == 0


def test_the_number_of_devices_is_kept(cache: Path, pair: Path, together: Path) -> None:
    """And with more of them than images in a batch there is nothing to share."""
    assert json.loads((together / "zoo.json").read_text())["execution"]["devices"] == 2
    refused = vitzoo(cache, "grow", pair, "--zoo", together, "--devices", "3", code=3)
    assert "This zoo was begun with devices 2, and --devices 3 would change its weights" in refused.stderr
    few = (*FIXED, "--workers", "1", "--devices", "8", "--set", "pretraining.hyperparameters.batch_size=4")
    refused = vitzoo(cache, "grow", pair, "--zoo", together.parent / "few", *few, code=3)
    assert "batches of 4 images, which 8 devices cannot share" in " ".join(refused.stderr.split())
    assert vitzoo(cache, "grow", pair, "--zoo", together.parent / "none", "--devices", "99", code=3).stderr


def test_zoos_of_before_are_trained_by_one() -> None:
    before = {"device": "cpu", "precision": "bf16", "stack": None, "tokens": 8192, "threads": 1}
    found = Execution.model_validate(before)
    assert (found.devices, found.micro) == (1, None)


def test_killed_and_gone_on(tmp_path: Path, pair: Path, cache: Path, together: Path) -> None:
    """First the grower is killed, and nobody survives; then one of a team, and the job fails with a sentence."""
    zoo = tmp_path / "zoo"
    team_grow.begin(zoo, pair)
    growing = Growing(cache, pair, "--zoo", zoo, "--workers", "1")
    growing.wait_for_epochs(2)
    others = companions(growing)
    assert len(others) == 1
    assert growing.send(signal.SIGKILL)[0] == -signal.SIGKILL
    wait_until(lambda: not any(map(alive, others)), 10)

    growing = Growing(cache, pair, "--zoo", zoo, "--workers", "1")
    growing.wait_for_epochs(4)
    code, error, seconds = growing.end(lambda: os.kill(companions(growing)[0], signal.SIGKILL))
    assert code == 1 and seconds < 20
    assert "Process 1 of those that train a population together was ended by SIGKILL" in error
    assert "run the same command again" in error
    assert len(hashes(zoo)) < len(hashes(together))

    vitzoo(cache, "grow", pair, "--zoo", zoo, "--workers", "1")
    assert hashes(zoo) == hashes(together)


@pytest.mark.slow
def test_a_signal_to_everybody_stops_at_a_step(tmp_path: Path, pair: Path, cache: Path) -> None:
    zoo = tmp_path / "zoo"
    team_grow.begin(zoo, pair)
    growing = Growing(cache, pair, "--zoo", zoo, "--workers", "1")
    growing.wait_for_epochs(2)
    others = companions(growing)
    code, error, _ = growing.send_group(signal.SIGTERM)
    assert code == 143
    assert error.startswith("error: Stopped by SIGTERM. Everything committed is kept")
    wait_until(lambda: not any(map(alive, others)), 10)


def train(companion: Any, seconds: float = 60.0, devices: int = 2) -> tuple[torch.Tensor, list[Any]]:
    """Be the first of a team that adds up ones."""
    told: list[Any] = []
    beats: list[float] = []
    with company(team_grow.job(devices), companion, told.append, beats.append, seconds) as (team, hear):
        total = torch.zeros(2)
        for _ in range(3):
            total += team.sum(torch.ones(2))
            hear()
    return total, told


def test_a_team_adds_up_and_ends() -> None:
    total, told = train(team_grow.adds)
    assert total.tolist() == [6.0, 6.0] and told == []
    assert not torch.distributed.is_initialized()


def test_warnings_of_the_others_are_told() -> None:
    assert train(team_grow.warns)[1] == [Note("Process 1: it is tight")]


@pytest.mark.parametrize(
    ("companion", "text", "code"),
    [
        (team_grow.fails_early, r"^The data is not there\.$", DataError.exit_code),
        (team_grow.fails_late, r"^The data is gone\.$", DataError.exit_code),
        (team_grow.breaks, "^ZeroDivisionError: a bug$", 1),
        (team_grow.is_killed, "^Process 1 of those .* was ended by SIGKILL; out of memory is the usual reason", 1),
        (team_grow.is_killed_early, "^Process 1 of those .* was ended by SIGKILL", 1),
        (team_grow.hangs, "^The 2 processes .* waited for one another for more than 2 seconds", 1),
    ],
)
def test_what_goes_wrong_with_one_is_said(
    companion: Any, text: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if companion is team_grow.hangs:  # nobody will say why
        monkeypatch.setattr("vitzoo.growing.company.GRACE_SECONDS", 0.5)
    begun = time.monotonic()
    with pytest.raises(CompanionLost, match=text) as found:
        train(companion, 2.0 if companion is team_grow.hangs else 60.0)
    assert found.value.exit_code == code
    assert time.monotonic() - begun < 30
    assert not torch.distributed.is_initialized()


def test_the_one_that_was_killed_is_named_and_not_its_victims() -> None:
    with pytest.raises(CompanionLost, match=r"^Process 2 of those .* was ended by SIGKILL"):
        train(team_grow.is_killed, devices=3)


def test_an_error_of_the_first_stays_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitzoo.growing.company.GRACE_SECONDS", 0.5)
    for error in (KeyError("mine"), RuntimeError("mine")):
        with (
            pytest.raises(type(error), match="mine"),
            company(team_grow.job(), team_grow.adds, lambda event: None, lambda share: None),
        ):
            raise error


def test_one_device_starts_nobody() -> None:
    before = threading.active_count(), children(os.getpid())
    with company(team_grow.job(1), team_grow.hangs, lambda event: None, lambda share: None) as (team, hear):
        hear()
        assert team.size == 1
        assert (threading.active_count(), children(os.getpid())) == before

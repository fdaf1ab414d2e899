"""Growing is stopped in every way and goes on to the same bits, with whatever number of workers."""

import os
import signal
from pathlib import Path

import pytest
from little_grow import FIXED, Growing, alive, hashes, only, vitzoo

from vitzoo.cli.main import main


def check_complete(zoo: Path, grown: Path) -> None:
    assert hashes(zoo) == hashes(grown)
    assert only(zoo, ".") == []
    assert main(["verify", str(zoo), "--deep"]) == 0


def test_killed_three_times_and_resumed_gives_the_same_bits(
    tmp_path: Path, blueprint: Path, cache: Path, grown: Path
) -> None:
    zoo = tmp_path / "zoo"
    for epochs, workers in ((2, "2"), (4, "1"), (5, "1")):
        growing = Growing(cache, blueprint, "--zoo", zoo, *FIXED, "--workers", workers)
        growing.wait_for_epochs(epochs)
        assert growing.send(signal.SIGKILL)[0] == -signal.SIGKILL
        assert len(hashes(zoo)) < len(hashes(grown))
    vitzoo(cache, "grow", blueprint, "--zoo", zoo, *FIXED, "--workers", "2")
    check_complete(zoo, grown)


def test_stopped_by_signals_and_resumed(tmp_path: Path, blueprint: Path, cache: Path, grown: Path) -> None:
    """SIGTERM to the group as a scheduler sends it, and Ctrl-C in a terminal."""
    zoo = tmp_path / "zoo"
    command = (cache, blueprint, "--zoo", zoo, *FIXED, "--workers")
    for number, code, workers in ((signal.SIGTERM, 143, "2"), (signal.SIGINT, 130, "1")):
        growing = Growing(*command, workers)
        growing.wait_for_epochs(2)
        found, error, seconds = growing.send_group(number)
        assert found == code, error
        assert error == (
            f"error: Stopped by {number.name}. Everything committed is kept; "
            "run the same command again to go on where it stopped.\n"
        )
        assert seconds < 6
    assert len(hashes(zoo)) < len(hashes(grown))
    vitzoo(cache, "grow", blueprint, "--zoo", zoo, *FIXED, "--workers", "1")
    check_complete(zoo, grown)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_is_replaced_and_the_zoo_is_the_same(
    number: signal.Signals, tmp_path: Path, blueprint: Path, cache: Path, grown: Path
) -> None:
    zoo = tmp_path / "zoo"
    growing = Growing(cache, blueprint, "--zoo", zoo, *FIXED, "--workers", "1", "--patience", "4")
    growing.wait_for_epochs(2)
    worker = growing.workers()[0]
    os.kill(worker, number)
    out, errors = growing.process.communicate(timeout=60)
    assert (growing.process.returncode, errors) == (0, "")
    why = "was ended by SIGKILL" if number == signal.SIGKILL else "sent nothing for 4 seconds and was ended"
    assert out.count("Another worker goes on with it.") == 1 and why in out
    assert not alive(worker)
    check_complete(zoo, grown)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("epochs", [1, 5, 12])
def test_a_signal_to_the_grower_alone(
    number: signal.Signals, epochs: int, tmp_path: Path, blueprint: Path, cache: Path, grown: Path
) -> None:
    growing = Growing(cache, blueprint, "--zoo", tmp_path / "zoo", *FIXED, "--workers", "2")
    growing.wait_for_epochs(epochs)
    assert growing.send(number)[0] == 128 + number
    vitzoo(cache, "grow", blueprint, "--zoo", tmp_path / "zoo", *FIXED)
    check_complete(tmp_path / "zoo", grown)

"""The SLURM engine through submitit's local executor: the same tasks, journals and signals, as processes here.

What SLURM itself does (queueing, sacct's states, scontrol requeue) is not run in these tests.
"""

import os
import signal
from pathlib import Path

import pytest
from engine_jobs import Act, outcome
from engine_laws import *  # noqa: F403  (the tests)
from engine_laws import Make
from little_grow import hashes, only

from vitzoo.blueprint import load
from vitzoo.cli.main import main
from vitzoo.errors import InputError
from vitzoo.growing.engines.options import parse
from vitzoo.growing.engines.slurm import crew
from vitzoo.growing.engines.slurm.engine import SlurmEngine, SlurmOptions
from vitzoo.growing.engines.watch import Patience
from vitzoo.growing.execution import Execution, choose
from vitzoo.growing.grow import Wishes, grow
from vitzoo.growing.jobs import Places

# submitit leaves the processes of its local executor to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
CPU = Execution(device="cpu", precision="float32", tokens=8192)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    monkeypatch.setattr(crew, "READ_SECONDS", 0.2)
    engine = SlurmEngine(tmp_path, SlurmOptions(folder=str(tmp_path / "logs")), "local")
    return lambda size: engine.crew(tmp_path, CPU, size, size)


def signalled(make: Make, folder: Path, number: signal.Signals, retries: int) -> tuple[list[str], str]:
    """Send a signal to a job that steps in its first attempt; return the jobs done and the notes."""
    job, sent = Act("stepping", folder, "step", times=1), []

    def tick() -> None:
        begun = folder / "stepping.began.1"
        if not sent and begun.exists() and begun.read_text():
            sent.append(os.kill(int(begun.read_text()), number))

    result = outcome([job], make(1), Patience(retries=retries), tick)
    assert result.failures == {} and len(list(folder.glob("stepping.began.*"))) == 2
    return result.done, result.notes()


def test_a_job_whose_time_is_up_goes_back_into_the_queue(make: Make, tmp_path: Path) -> None:
    """submitit signals, the job stops at its next step, and the same SLURM job does the rest: no attempt is lost."""
    assert signalled(make, tmp_path, signal.SIGUSR2, retries=0) == (["stepping"], "")
    (journal,) = (tmp_path / "logs").glob("stepping.*.jsonl")
    kinds = [line.split('"')[3] for line in journal.read_text().splitlines()]
    assert [kind for kind in kinds if kind != "Stepped"] == ["Begun", "Requeued", "Begun", "JobDone"]


def test_a_job_that_has_to_make_room_is_submitted_again(make: Make, tmp_path: Path) -> None:
    done, notes = signalled(make, tmp_path, signal.SIGTERM, retries=1)
    assert done == ["stepping"] and "A SLURM job (busy with stepping) was stopped from outside." in notes
    assert len(list((tmp_path / "logs").glob("stepping.*.jsonl"))) == 2


def test_a_superseded_job_that_starts_late_does_nothing(make: Make, tmp_path: Path) -> None:
    from vitzoo.growing.engines.claims import Claims
    from vitzoo.growing.engines.slurm.task import Task

    claims = Claims(tmp_path)
    task = Task(Act("late", tmp_path), claims.give("late"), tmp_path / "journal")
    claims.clear()
    task()
    assert not list(tmp_path.glob("late.*"))


def test_a_node_that_does_not_see_the_zoo_is_named(make: Make, tmp_path: Path) -> None:
    from vitzoo.growing.engines.claims import Claim
    from vitzoo.growing.engines.slurm.task import Task

    unseen = tmp_path / "elsewhere" / ".grow" / "job.claim"
    Task(Act("job", tmp_path), Claim(unseen), tmp_path / "journal")()
    said = (tmp_path / "journal").read_text()
    assert "The SLURM node " in said and f"sees no zoo at {tmp_path / 'elsewhere'}." in said


def test_the_same_zoo(
    tmp_path: Path, blueprint: Path, cache: Path, grown: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "READ_SECONDS", 0.2)
    zoo = tmp_path / "zoo"
    engine = SlurmEngine(zoo, SlurmOptions(), "local")
    result = grow(load(blueprint), Places(zoo, tmp_path, cache), Wishes("cpu", "float32", 2, 2), engine)
    assert result.failures == () and hashes(zoo) == hashes(grown)
    assert only(zoo, ".") == [] and (tmp_path / "zoo.slurm").is_dir()
    assert main(["verify", str(zoo), "--deep"]) == 0


def test_what_the_hardware_cannot_is_said_as_it_was_there(tmp_path: Path) -> None:
    engine = SlurmEngine(tmp_path / "zoo", SlurmOptions(), "local")
    with pytest.raises(InputError, match="PyTorch finds no CUDA device"):
        engine.there("cuda", choose, "cuda", None, None)


def test_options_and_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = parse("slurm", SlurmOptions, ("partition=short", "minutes=30", "gpus=2"))
    assert (options.partition, options.minutes, options.gpus) == ("short", 30, 2)
    with pytest.raises(InputError, match=r"'time=3': --engine slurm has the options partition, account, .*, folder\."):
        parse("slurm", SlurmOptions, ("time=3",))
    with pytest.raises(InputError, match="--engine-option minutes=soon: Input should be a valid integer"):
        parse("slurm", SlurmOptions, ("minutes=soon",))
    assert main(["grow", "nano", "--zoo", str(tmp_path / "zoo"), "--engine", "slurm"]) == 3
    assert "finds no sbatch and srun here. Call it where SLURM jobs are submitted." in capsys.readouterr().err


def test_what_sbatch_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script that submitit writes for a real SLURM, caught by an sbatch that only keeps it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, does in (("srun", ""), ("sbatch", f'cp "$1" {tmp_path}/script; echo Submitted batch job 12')):
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    given = ("partition=short", "minutes=30", "gpus=2", "cpus=4", "memory=16", "account=me", "qos=low", "constraint=a")
    engine = SlurmEngine(tmp_path / "zoo", parse("slurm", SlurmOptions, given))
    cuda = CPU.model_copy(update={"device": "cuda"})
    slurm = engine.crew(tmp_path, cuda, 1, None)
    with slurm:
        slurm.give(Act("job", tmp_path))
        monkeypatch.setattr("subprocess.call", lambda command, shell: command)  # scancel
    asked = {line.removeprefix("#SBATCH --") for line in (tmp_path / "script").read_text().splitlines()}
    assert asked >= {
        "partition=short",
        "time=30",
        "gpus-per-node=2",
        "cpus-per-task=4",
        "mem=16GB",
        "account=me",
        "qos=low",
        "constraint=a",
        "signal=USR2@120",
        "job-name=vitzoo",
    }

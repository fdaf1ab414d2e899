"""The SLURM engine through submitit's local executor: the same tasks, journals and signals, as processes here.

What SLURM itself does (queueing, sacct's states, scontrol requeue) is not run in these tests.
"""

from pathlib import Path

import pytest
from engine_laws import *  # noqa: F403  (the tests)
from engine_laws import Make

from vitzoo.growing.engines.slurm import crew
from vitzoo.growing.engines.slurm.engine import SlurmEngine, SlurmOptions
from vitzoo.growing.execution import Execution

# submitit leaves the processes of its local executor to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
CPU = Execution(device="cpu", precision="float32", tokens=8192)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    monkeypatch.setattr(crew, "READ_SECONDS", 0.2)
    engine = SlurmEngine(tmp_path, SlurmOptions(folder=str(tmp_path / "logs")), "local")
    return lambda size: engine.crew(tmp_path, CPU, size, size)

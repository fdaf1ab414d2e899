"""The SLURM engine as it is chosen: its options and what it asks SLURM for.

The grower itself stays where it was called, waits, and gives out jobs as those they need are done. The logs and
pickles of SLURM jobs lie beside the zoo, in a folder that may be removed when nothing is growing.
"""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from vitzoo.blueprint.schema import Fields
from vitzoo.errors import InputError, VitzooError
from vitzoo.growing.engines.contract import Crew, T
from vitzoo.growing.execution import Execution

QUEUED = 64  # SLURM jobs at once, unless --workers says otherwise
SIGNAL_SECONDS = 120  # before its time is up a job is told to stop


class SlurmOptions(Fields):
    """``--engine-option`` of the SLURM engine."""

    partition: str | None = Field(None, description="as of sbatch")
    account: str | None = Field(None, description="as of sbatch")
    qos: str | None = Field(None, description="as of sbatch")
    constraint: str | None = Field(None, description="as of sbatch")
    minutes: int = Field(24 * 60, ge=1, description="time limit; what takes longer goes on in another turn")
    timeouts: int = Field(100, ge=0, description="how often a job may be put back into the queue when its time is up")
    cpus: int | None = Field(None, ge=1, description="CPU cores of a job; default: its threads")
    gpus: int | None = Field(None, ge=1, description="GPUs of a job on CUDA; default: its devices")
    memory: int | None = Field(None, ge=1, description="memory of a job in GB; default: the cluster's")
    folder: str | None = Field(None, description="logs, on a file system all nodes see; default: ZOO.slurm")


class SlurmEngine:
    """A SLURM cluster. With ``cluster`` "local" submitit runs the same as processes on this machine, for tests."""

    def __init__(self, zoo: Path, options: SlurmOptions, cluster: str = "slurm") -> None:
        if importlib.util.find_spec("submitit") is None:
            raise InputError("--engine slurm needs the package submitit: pip install 'vitzoo[slurm]', on every node.")
        if cluster == "slurm" and not (shutil.which("sbatch") and shutil.which("srun")):
            raise InputError("--engine slurm finds no sbatch and srun here. Call it where SLURM jobs are submitted.")
        self.options, self.cluster = options, cluster
        self.folder = Path(options.folder).resolve() if options.folder else zoo.with_name(f"{zoo.name}.slurm")

    def __enter__(self) -> "SlurmEngine":
        return self

    def __exit__(self, *details: Any) -> None:
        return

    def there(self, device: str | None, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function returns as a SLURM job; it waits in the queue like any other."""
        from submitit.core.utils import UncompletedJobError

        job = self._executor(self.options.gpus or int(device == "cuda"), self.options.cpus or 1).submit(
            _answer, function, *arguments
        )
        try:
            answer = job.result()
        except UncompletedJobError:
            raise InputError(
                f"The SLURM job that was to look at the hardware ended as {job.state}; its log is {job.paths.stderr}."
            ) from None
        if isinstance(answer, VitzooError):
            raise answer
        return answer

    def crew(self, zoo: Path, execution: Execution, jobs: int, workers: int | None) -> Crew:
        """Return SLURM jobs to be."""
        from vitzoo.growing.engines.slurm.crew import SlurmCrew

        cuda = execution.device == "cuda"
        cpus = execution.threads if cuda else execution.threads * execution.devices
        executor = self._executor((self.options.gpus or execution.devices) if cuda else 0, self.options.cpus or cpus)
        return SlurmCrew(executor, zoo, self.folder, min(jobs, workers or QUEUED))

    def _executor(self, gpus: int, cpus: int) -> Any:
        import submitit

        o = self.options
        self.folder.mkdir(parents=True, exist_ok=True)
        executor = submitit.AutoExecutor(
            self.folder, cluster=self.cluster, slurm_max_num_timeout=o.timeouts, local_max_num_timeout=o.timeouts
        )
        wanted = {
            "mem_gb": o.memory,
            "slurm_partition": o.partition,
            "slurm_account": o.account,
            "slurm_qos": o.qos,
            "slurm_constraint": o.constraint,
            "gpus_per_node": gpus or None,
        }
        executor.update_parameters(
            name="vitzoo",
            timeout_min=o.minutes,
            cpus_per_task=cpus,
            slurm_signal_delay_s=SIGNAL_SECONDS,
            **{key: value for key, value in wanted.items() if value is not None},
        )
        return executor


def _answer(function: Callable[..., T], *arguments: Any) -> T | VitzooError:
    try:
        return function(*arguments)
    except VitzooError as error:  # as a value: submitit would bring back its traceback only
        return error

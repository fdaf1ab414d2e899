"""The Ray engine as it is chosen: its options, the cluster it works on, and what a job takes of it."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from vitzoo.blueprint.schema import Fields
from vitzoo.errors import InputError
from vitzoo.growing.engines.contract import Crew, T
from vitzoo.growing.engines.ray.nodes import Need, with_room
from vitzoo.growing.execution import Execution


class RayOptions(Fields):
    """``--engine-option`` of the Ray engine."""

    cpus: float | None = Field(None, gt=0, description="CPU cores of a job; default: its threads")
    gpus: float | None = Field(None, gt=0, description="GPUs of a job on CUDA, also a share such as 0.25; default: 1")


class RayEngine:
    """A Ray cluster: the one at ``address`` (default: $RAY_ADDRESS), or one started on this machine for the while."""

    def __init__(self, address: str | None, options: RayOptions) -> None:
        if importlib.util.find_spec("ray") is None:
            raise InputError("--engine ray needs the package ray: pip install 'vitzoo[ray]', on every node.")
        self.address, self.options = address or os.environ.get("RAY_ADDRESS"), options
        self._connected = False

    def __enter__(self) -> "RayEngine":
        return self

    def __exit__(self, *details: Any) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._connected:
            import ray

            ray.shutdown()

    def there(self, device: str | None, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function returns on a machine with room for a job: with a GPU if there is one to be had."""
        self._connect()
        import ray
        from ray.exceptions import RayTaskError

        need = next((n for n in self._needs(device) if with_room(n)), None)
        if need is None:
            raise self._no_room(self._needs(device)[0])
        call = ray.remote(function).options(**need.options(), max_retries=0).remote(*arguments)
        try:
            return ray.get(call)
        except RayTaskError as error:
            raise error.cause from None

    def crew(self, zoo: Path, execution: Execution, jobs: int, workers: int | None) -> Crew:
        """Return workers on all machines that have room for jobs."""
        self._connect()
        from vitzoo.growing.engines.ray.crew import RayCrew

        need = self.need(execution)
        if workers is None and not with_room(need):
            raise self._no_room(need)
        return RayCrew(zoo, execution, need, jobs if workers is None else min(jobs, workers))

    def need(self, execution: Execution) -> Need:
        """Return what one job of an execution takes."""
        if execution.device == "cuda":
            return Need(self.options.cpus or execution.threads, self.options.gpus or execution.devices)
        return Need(self.options.cpus or execution.threads * execution.devices, 0)

    def _needs(self, device: str | None) -> list[Need]:
        cpus = self.options.cpus or 1
        gpu, cpu = Need(cpus, self.options.gpus or 1), Need(cpus, 0)
        return [gpu] if device == "cuda" else [cpu] if device == "cpu" else [gpu, cpu]

    def _connect(self) -> None:
        if not self._connected:
            from vitzoo.growing.engines.ray.connect import connect

            connect(self.address)
            self._connected = True

    def _no_room(self, need: Need) -> InputError:
        return InputError(
            f"No machine of the Ray cluster {f'at {self.address}' if self.address else 'started here'} has the "
            f"{need} that a job takes. Add one, or ask for less: --engine-option cpus=… or gpus=…"
        )

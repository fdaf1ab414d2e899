"""What the machines of a cluster have, and whether each can do our jobs: it must see the zoo and compute like us."""

import hashlib
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vitzoo.errors import InputError, VitzooError
from vitzoo.growing.engines.claims import Claim
from vitzoo.growing.execution import Execution, require
from vitzoo.zoo.layout import ZOO_JSON

PACKAGES = ("vitzoo", "torch", "numpy")  # what the bits of a member depend on


@dataclass(frozen=True)
class Need:
    """What one job takes of a machine; a GPU can be shared.

    >>> print(Need(1, 0.25))
    1 CPU and 0.25 GPU
    """

    cpus: float
    gpus: float

    def __str__(self) -> str:
        return f"{self.cpus:g} CPU" + (f" and {self.gpus:g} GPU" if self.gpus else "")

    def fits(self, resources: dict[str, float]) -> int:
        """Return how many jobs there is room for.

        >>> Need(1, 0).fits({"CPU": 8.0}), Need(1, 0.25).fits({"CPU": 8.0, "GPU": 1.0}), Need(1, 1).fits({"CPU": 8.0})
        (8, 4, 0)
        """
        wanted = {"CPU": self.cpus, "GPU": self.gpus}
        return min(int(resources.get(kind, 0.0) / amount + 1e-9) for kind, amount in wanted.items() if amount)

    def options(self) -> dict[str, float]:
        """Return it as Ray's options."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus}


@dataclass(frozen=True)
class Sight:
    """What a machine sees: its name, the digest of zoo.json, whether it is this very zoo, and its versions."""

    node: str
    digest: str | None
    same: bool
    versions: dict[str, str]
    lack: str | None = None


def see(zoo: Path, probe: Claim) -> Sight:
    """Look around on this machine. ``probe`` is a file that was just written into the zoo."""
    import ray.util

    return Sight(ray.util.get_node_ip_address(), _digest(zoo / ZOO_JSON), probe.holds(), _versions())


def look(zoo: Path, probe: Claim, execution: Execution) -> Sight:
    """Look around on a machine that is to do jobs, and say what it lacks for them, if anything."""
    sight = see(zoo, probe)
    try:
        require(execution)
    except VitzooError as error:
        return replace(sight, lack=str(error))
    return sight


def check(there: Sight, here: Sight, zoo: Path) -> None:
    """Compare a machine's sight with ours.

    Raises:
        InputError: it does not see the zoo, has other versions, or lacks the hardware; the text names the machine.
    """
    node = f"The Ray node {there.node}"
    shared = "The zoo's directory must be on a file system that every node mounts at this path."
    if there.digest is None:
        raise InputError(f"{node} sees no zoo at {zoo}. {shared}")
    if there.digest != here.digest or not there.same:
        raise InputError(f"{node} sees another zoo, or a copy, at {zoo}. {shared}")
    for package, ours in here.versions.items():
        if (theirs := there.versions[package]) != ours:
            raise InputError(
                f"{node} has {package} {theirs}, and here it is {ours}; that would change the weights. "
                "Install the same version on every node."
            )
    if there.lack is not None:
        raise InputError(f"{node} cannot go on with this zoo: {there.lack}")


def with_room(need: Need) -> dict[str, int]:
    """Return the ids of the cluster's living machines that have room for a job at all, and for how many."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()
    room = {node["NodeID"]: need.fits(node["Resources"]) for node in nodes if node["Alive"]}
    return {node: jobs for node, jobs in room.items() if jobs}


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _versions() -> dict[str, str]:
    return {package: _version(package) for package in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

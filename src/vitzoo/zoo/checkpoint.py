"""A checkpoint: the weights of a member after an epoch. Opening one reads nothing but its manifest."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import IntegrityError
from vitzoo.zoo import regular
from vitzoo.zoo.layout import CONFIG, MANIFEST, METRIC_NAME, SHA256, WEIGHTS, checkpoint_name, is_name
from vitzoo.zoo.strict_json import REMEDY, check_object
from vitzoo.zoo.strict_json import read as read_json

if TYPE_CHECKING:
    import numpy as np

    from vitzoo.zoo.files import Files
    from vitzoo.zoo.member import Member
    from vitzoo.zoo.safetensors_header import Slot

MANIFEST_KEYS = ("format", "member", "epoch", "parent", "files", "metrics")
MAX_METRICS = 256
MAX_SIZE = 2**53  # bytes of a file; more would not add up in the catalogue


class Checkpoint:
    """One committed epoch of a member; immutable."""

    def __init__(self, member: "Member", epoch: int) -> None:
        self.member = member
        self.epoch = epoch
        self.path = member.path / checkpoint_name(epoch)

    def __repr__(self) -> str:
        return f"Checkpoint({self.member.name!r}, epoch={self.epoch})"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Digests, origin and metrics, as in ``manifest.json``."""
        file = self._files.near(self.path / MANIFEST)
        return check_manifest(read_json(file), file, self.member.name, self.epoch)

    @property
    def sha256(self) -> str:
        """Digest of the weights' file, 64 hexadecimal digits."""
        listed = self.member.listed
        return self.manifest["files"][WEIGHTS]["sha256"] if listed is None else listed.digests[self.epoch]

    @property
    def place(self) -> str:
        """The checkpoint's directory or address, for people."""
        return f"{self.member.place}/{self.path.name}"

    @property
    def edge(self) -> dict[str, Any]:
        """How what came of this checkpoint refers to it: ``{"member", "epoch", "sha256"}``."""
        return {"member": self.member.name, "epoch": self.epoch, "sha256": self.sha256}

    @property
    def metrics(self) -> dict[str, float | None]:
        """What was measured in this epoch; ``None`` where the value was not finite."""
        return dict(self.manifest["metrics"])

    def names(self) -> list[str]:
        """Names of the tensors, in the order they were stored."""
        return list(self.header())

    def header(self) -> "dict[str, Slot]":
        """Return type, shape and byte range of each tensor, in the order they were stored; the header is checked."""
        return self._files.header(self)

    def tensors(self, names: Iterable[str] | None = None) -> "dict[str, np.ndarray]":
        """Read the named tensors (default: all); nothing else is read. InputError names the nearest tensor."""
        return self._files.tensors(self, names)

    def file(self) -> Path:
        """Return the path of the weights' file on this machine; of a remote zoo it is fetched whole and hashed."""
        return self._files.weights(self)

    def check(self) -> None:
        """Hash the weights' file; IntegrityError if it is not what the manifest says it is."""
        file = self.file()
        if regular.sha256(file) != self.sha256:
            raise IntegrityError(f"{file} has another digest than {MANIFEST} says. {REMEDY}.")

    def state_dict(self) -> dict[str, Any]:
        """Read all tensors as torch tensors, under timm's names."""
        import torch  # only here: reading a zoo does not need torch

        return {name: torch.from_numpy(array) for name, array in self.tensors().items()}

    def to_timm(self) -> Any:
        """Return a timm VisionTransformer with these weights and this member's head.

        InputError if the config does not describe a model that vitzoo grows, IntegrityError if a tensor does not fit.
        """
        from vitzoo.model import timm_names  # only here: timm takes seconds to import

        return timm_names.create(self.member.config, self.state_dict(), f"{self.member.place}/{CONFIG}")

    @property
    def _files(self) -> "Files":
        return self.member.zoo.files


def read_manifest(path: Path, member: str, epoch: int) -> dict[str, Any]:
    """Read a checkpoint's manifest and check its form and that it speaks of this member and epoch."""
    file = path / MANIFEST
    return check_manifest(read_json(file), file, member, epoch)


def check_manifest(value: Any, where: object, member: str, epoch: int) -> dict[str, Any]:
    """Return the value if it has the form of a manifest of this member and epoch; IntegrityError otherwise."""
    manifest = check_object(value, MANIFEST_KEYS, where)
    if manifest["member"] != member or manifest["epoch"] != epoch or type(manifest["epoch"]) is not int:
        raise IntegrityError(f"{where} speaks of another checkpoint than {member}, epoch {epoch}. {REMEDY}.")
    files = manifest["files"]
    if not (isinstance(files, dict) and set(files) == {WEIGHTS, CONFIG} and all(map(_is_entry, files.values()))):
        raise IntegrityError(f"{where} does not give digest and size of {WEIGHTS} and {CONFIG}. {REMEDY}.")
    if manifest["parent"] is not None and not is_edge(manifest["parent"]):
        raise IntegrityError(f"{where} has a 'parent' that is not member, epoch and sha256. {REMEDY}.")
    if not are_metrics(manifest["metrics"]):
        raise IntegrityError(f"{where} has metrics that are not names with numbers or null. {REMEDY}.")
    return manifest


def is_edge(value: Any) -> bool:
    """Say whether a value has the form of a reference to a checkpoint."""
    return (
        isinstance(value, dict)
        and set(value) == {"member", "epoch", "sha256"}
        and is_name(value["member"])
        and type(value["epoch"]) is int
        and isinstance(value["sha256"], str)
        and SHA256.fullmatch(value["sha256"]) is not None
    )


def are_metrics(value: Any) -> bool:
    """Say whether a value has the form of metrics: allowed names with numbers or ``None``."""
    return (
        isinstance(value, dict)
        and len(value) <= MAX_METRICS
        and all(
            METRIC_NAME.fullmatch(name) and (number is None or type(number) in (int, float))
            for name, number in value.items()
        )
    )


def _is_entry(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("sha256"), str)
        and SHA256.fullmatch(value["sha256"]) is not None
        and type(value.get("size")) is int
        and 0 <= value["size"] <= MAX_SIZE
    )

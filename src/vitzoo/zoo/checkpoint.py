"""A checkpoint: the weights of a member after an epoch. Opening one reads nothing but its manifest."""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo import safetensors_io
from vitzoo.zoo.layout import CONFIG, MANIFEST, METRIC_NAME, SHA256, WEIGHTS, checkpoint_name, is_name
from vitzoo.zoo.strict_json import REMEDY, read_object

if TYPE_CHECKING:
    import numpy as np

    from vitzoo.zoo.member import Member

MANIFEST_KEYS = ("format", "member", "epoch", "parent", "files", "metrics")


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
        return read_manifest(self.path, self.member.name, self.epoch)

    @property
    def sha256(self) -> str:
        """Digest of the weights' file, 64 hexadecimal digits."""
        return self.manifest["files"][WEIGHTS]["sha256"]

    @property
    def metrics(self) -> dict[str, float | None]:
        """What was measured in this epoch; ``None`` where the value was not finite."""
        return dict(self.manifest["metrics"])

    def names(self) -> list[str]:
        """Names of the tensors, in the order they were stored."""
        return list(safetensors_io.read_header(self.path / WEIGHTS))

    def tensors(self, names: Iterable[str] | None = None) -> "dict[str, np.ndarray]":
        """Read the named tensors (default: all); nothing else is read. InputError names the nearest tensor."""
        return safetensors_io.read(self.path / WEIGHTS, names)

    def check(self) -> None:
        """Hash the weights' file; IntegrityError if it is not what the manifest says it is."""
        file = self.path / WEIGHTS
        try:
            with file.open("rb", buffering=0) as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise IntegrityError(f"{file} cannot be read: {error.strerror}. {REMEDY}.") from error
        if found != self.sha256:
            raise IntegrityError(f"{file} has another digest than {MANIFEST} says. {REMEDY}.")

    def state_dict(self) -> dict[str, Any]:
        """Read all tensors as torch tensors, under timm's names."""
        import torch  # only here: reading a zoo does not need torch

        return {name: torch.from_numpy(array) for name, array in self.tensors().items()}

    def to_timm(self) -> Any:
        """Return a timm VisionTransformer with these weights and this member's head.

        InputError if the config does not describe a model that vitzoo grows.
        """
        from vitzoo.model import timm_names  # only here: timm takes seconds to import

        try:
            return timm_names.create(self.member.config, self.state_dict())
        except KeyError as error:
            where = self.member.path / CONFIG
            raise InputError(f"{where} describes no model that vitzoo grows: {error}.") from error


def read_manifest(path: Path, member: str, epoch: int) -> dict[str, Any]:
    """Read a checkpoint's manifest and check its form and that it speaks of this member and epoch."""
    file = path / MANIFEST
    manifest = read_object(file, MANIFEST_KEYS)
    if manifest["member"] != member or manifest["epoch"] != epoch or type(manifest["epoch"]) is not int:
        raise IntegrityError(f"{file} speaks of another checkpoint than {member}, epoch {epoch}. {REMEDY}.")
    files = manifest["files"]
    if not (isinstance(files, dict) and set(files) == {WEIGHTS, CONFIG} and all(map(_is_entry, files.values()))):
        raise IntegrityError(f"{file} does not give digest and size of {WEIGHTS} and {CONFIG}. {REMEDY}.")
    if manifest["parent"] is not None and not is_edge(manifest["parent"]):
        raise IntegrityError(f"{file} has a 'parent' that is not member, epoch and sha256. {REMEDY}.")
    if not are_metrics(manifest["metrics"]):
        raise IntegrityError(f"{file} has metrics that are not names with numbers or null. {REMEDY}.")
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
    return isinstance(value, dict) and all(
        METRIC_NAME.fullmatch(name) and (number is None or type(number) in (int, float))
        for name, number in value.items()
    )


def _is_entry(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("sha256"), str)
        and SHA256.fullmatch(value["sha256"]) is not None
        and type(value.get("size")) is int
    )

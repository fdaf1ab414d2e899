"""Committing a checkpoint: stage, sync, one rename. What is visible is complete; doing it twice changes nothing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo import atomic, safetensors_io
from vitzoo.zoo.checkpoint import MAX_METRICS, Checkpoint, read_manifest
from vitzoo.zoo.layout import CONFIG, MANIFEST, METRIC_NAME, WEIGHTS, checkpoint_name
from vitzoo.zoo.strict_json import encode, number


@dataclass(frozen=True)
class Ready:
    """A file of weights that is in a zoo's form already; committing gives it a second name and copies nothing.

    ``source`` says what it was made from, ``{"file", "sha256", "size"}``, if that was another file. ``lies`` is true if
    the file is someone else's and stays there.
    """

    path: Path
    sha256: str
    size: int
    source: Mapping[str, Any] | None = None
    lies: bool = False


def clean_metrics(metrics: Mapping[str, Any]) -> dict[str, int | float | None]:
    """Return metrics as they are stored; InputError names one that cannot be."""
    cleaned = {}
    if len(metrics) > MAX_METRICS:
        raise InputError(f"These are {len(metrics)} metrics; a checkpoint has at most {MAX_METRICS}.")
    for name, value in metrics.items():
        if not isinstance(name, str) or not METRIC_NAME.fullmatch(name) or name in ("epoch", "diverged"):
            raise InputError(f"{name!r} cannot name a metric; use a letter, then letters, digits and '_'.")
        try:
            cleaned[name] = number(value)
        except TypeError:
            raise InputError(f"Metric {name!r} is {type(value).__name__}, not a number.") from None
    return cleaned


def write_checkpoint(
    directory: Path,
    epoch: int,
    config: bytes,
    tensors: Mapping[str, Any] | Ready,
    manifest: dict[str, Any],
    twin: Checkpoint | None = None,
) -> str:
    """Write a checkpoint into a member's directory and return its digest.

    ``manifest`` lacks only ``files``. If the weights are those of ``twin``, its file gets a second name instead. If the
    epoch is there with the same digest nothing changes; with another one it is an IntegrityError. If anything fails,
    nothing is visible and the call can be repeated. The caller syncs ``directory``, once for all it changes there.
    """
    target = directory / checkpoint_name(epoch)
    staged = atomic.staging_path(directory, str(epoch))
    with atomic.storing(target):
        try:
            staged.mkdir()
            sha256 = _fill(staged, config, tensors, manifest, twin)
            if not target.exists():
                _publish(staged, target)
        finally:
            # Gone if it was renamed; left if the epoch was there already or something failed.
            atomic.discard(staged)
    _check_same(target, manifest["member"], epoch, sha256)
    return sha256


def _fill(
    staged: Path,
    config: bytes,
    tensors: Mapping[str, Any] | Ready,
    manifest: dict[str, Any],
    twin: Checkpoint | None,
) -> str:
    if isinstance(tensors, Ready):
        sha256, size = _take(tensors, staged / WEIGHTS)
        manifest = manifest | ({"source": dict(tensors.source)} if tensors.source else {})
    else:
        linked = twin is not None and _link(twin, staged / WEIGHTS, tensors)
        sha256, size = linked or safetensors_io.write(staged / WEIGHTS, tensors)
    files = {
        WEIGHTS: {"sha256": sha256, "size": size},
        CONFIG: {"sha256": hashlib.sha256(config).hexdigest(), "size": len(config)},
    }
    atomic.write_synced(staged / CONFIG, config)
    atomic.write_synced(staged / MANIFEST, encode(manifest | {"files": files}))
    atomic.sync_directory(staged)
    return sha256


def _take(ready: Ready, path: Path) -> tuple[str, int]:
    """Give a ready file a second name; IntegrityError if it is not in a zoo's form or has another size."""
    path.hardlink_to(ready.path)
    safetensors_io.read_header(path)
    if path.stat().st_size != ready.size:
        raise IntegrityError(f"{ready.path} changed while it was committed. Leave it alone and repeat.")
    return ready.sha256, ready.size


def _link(twin: Checkpoint, path: Path, tensors: Mapping[str, Any]) -> tuple[str, int] | None:
    """Give a twin's file a second name if it holds these tensors; None where it does not or links are not to be had."""
    about = twin.manifest["files"][WEIGHTS]
    if safetensors_io.sha256(tensors) != about["sha256"]:
        return None
    try:
        if (twin.path / WEIGHTS).stat().st_size != about["size"]:  # damaged since: it must not spread
            return None
        path.hardlink_to(twin.path / WEIGHTS)
    except OSError:  # another disk, a file system without links, too many names: then it is written
        return None
    return about["sha256"], about["size"]


def _publish(staged: Path, target: Path) -> None:
    try:
        staged.rename(target)
    except OSError:
        if not target.exists():  # otherwise another process was faster, with the same digest or not
            raise


def _check_same(target: Path, member: str, epoch: int, sha256: str) -> None:
    found = read_manifest(target, member, epoch)["files"][WEIGHTS]["sha256"]
    if found != sha256:
        raise IntegrityError(
            f"{target} is there already with other weights (sha256 {found[:12]}…, now {sha256[:12]}…). A checkpoint "
            "never changes: the run was not reproduced bit for bit, for example on another device or torch version. "
            "Grow into a new zoo, or remove this member's directory to train it again."
        )

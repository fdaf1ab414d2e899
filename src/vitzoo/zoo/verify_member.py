"""The checks of ``verify`` for one member: its directory, its checkpoints, its references, its ``result.json``."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import VitzooError
from vitzoo.zoo import merge, regular, results, safetensors_io
from vitzoo.zoo.checkpoint import read_manifest
from vitzoo.zoo.finding import RETRAIN, Finding, damaged, unexpected, unlisted
from vitzoo.zoo.layout import CHECKPOINT_FILES, CONFIG, FINETUNING, MANIFEST, RESULT, WEIGHTS, checkpoint_name, epoch_of
from vitzoo.zoo.member import Member
from vitzoo.zoo.regular import read_bytes
from vitzoo.zoo.strict_json import MAX_BYTES

if TYPE_CHECKING:
    from vitzoo.blueprint.schema import Backbone

Manifest = dict[str, Any]


@dataclass
class Survey:
    """What is known of one member: the epochs there, the sound manifests among them, findings so far.

    ``architecture`` is what the config declares, if it is sound and declares one.
    """

    member: Member
    epochs: list[int] = field(default_factory=list)
    manifests: dict[int, Manifest] = field(default_factory=dict)
    config: bytes | None = None
    architecture: "Backbone | None" = None
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Checked:
    """The outcome for one checkpoint; ``manifest`` is ``None`` if it cannot be trusted."""

    findings: list[Finding]
    manifest: Manifest | None = None
    bytes: int = 0


def survey(member: Member) -> Survey:
    """Look at a member's directory and its config."""
    from vitzoo.zoo import declaration  # only here: to read a zoo needs no schema of blueprints

    # A fresh object: verify must see the disk, not what was read before.
    found = Survey(Member(member.zoo, member.path))
    try:
        _look(found)
    except OSError as error:
        found.findings.append(unlisted(member.path, error))
    try:
        _ = found.member.config
        found.config = found.member.config_bytes
        found.architecture = declaration.architecture(found.member.config, member.path / CONFIG)
    except VitzooError as error:
        found.findings.append(damaged(member.path / CONFIG, error))
    return found


def _look(found: Survey) -> None:
    """Note the epochs of a member and what does not belong beside them."""
    with os.scandir(found.member.path) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            epoch = epoch_of(entry.name) if entry.is_dir(follow_symlinks=False) else None
            if epoch is not None:
                found.epochs.append(epoch)
            elif not entry.is_file(follow_symlinks=False) or entry.name not in (CONFIG, RESULT):
                found.findings.append(unexpected(entry))
    found.epochs.sort()


def checkpoint(survey: Survey, epoch: int, deep: bool) -> Checked:
    """Check one checkpoint: the files, their sizes, the header, the config's copy; ``deep`` reads every byte."""
    path = survey.member.path / checkpoint_name(epoch)
    checked = Checked([])
    try:
        checked.findings += _files(path)
    except OSError as error:
        checked.findings.append(unlisted(path, error))
        return checked
    try:
        manifest = read_manifest(path, survey.member.name, epoch)
    except VitzooError as error:
        checked.findings.append(damaged(path / MANIFEST, error))
        return checked
    checked.manifest = manifest
    for name in (WEIGHTS, CONFIG):
        if not (path / name).is_file() or (path / name).is_symlink():
            continue  # said by _files
        try:
            checked.bytes += (path / name).stat().st_size
            checked.findings += _content(path / name, manifest["files"][name], survey, deep)
        except VitzooError as error:
            checked.findings.append(damaged(path / name, error))
        except OSError as error:
            checked.findings.append(Finding(str(path / name), f"cannot be read: {error.strerror}", RETRAIN))
    return checked


def references(survey: Survey, others: Mapping[str, Survey]) -> Iterator[Finding]:
    """Check that the member's parent and the origin of every checkpoint are in the zoo, with the digest noted."""
    if survey.config is None:
        return
    yield from _parent(survey, others)
    if survey.member.merge is not None:
        yield from _merged(survey, survey.member.merge, others)
    for count, epoch in enumerate(survey.epochs):
        manifest = survey.manifests.get(epoch)
        if manifest is not None:
            problem = _origin(survey, epoch, survey.epochs[count - 1] if count else None, manifest, others)
            if problem:
                yield Finding(str(survey.member.path / checkpoint_name(epoch) / MANIFEST), problem, RETRAIN)


def results_agree(survey: Survey) -> Iterator[Finding]:
    """Compare ``result.json`` with the manifests; read after them, so that a commit in between is no breach."""
    path = survey.member.path / RESULT
    try:
        lines = results.read(path)
    except VitzooError as error:
        yield damaged(path, error)
        return
    for epoch, manifest in survey.manifests.items():
        if epoch not in lines:
            if epoch != survey.epochs[-1]:  # a kill between a checkpoint and its line leaves only the last without
                yield Finding(str(path), f"has no line for epoch {epoch}", "Run `vitzoo grow` again, which adds it.")
        elif lines[epoch] != {"epoch": epoch, **manifest["metrics"]}:
            remedy = "Remove result.json; the next `vitzoo grow` derives it from the manifests."
            yield Finding(str(path), f"disagrees with the manifest of epoch {epoch}", remedy)
    if survey.config is not None:
        yield from _lost(survey, lines)
    if not survey.epochs and results.diverged(lines) is None:
        yield Finding(str(survey.member.path), "has no checkpoints", "Run `vitzoo grow` to train it, or remove it.")


def _files(path: Path) -> Iterator[Finding]:
    with os.scandir(path) as entries:
        found = {entry.name: entry for entry in entries}
    for name in sorted(found.keys() | CHECKPOINT_FILES):
        if name not in found:
            yield Finding(str(path / name), "is missing", RETRAIN)
        elif name not in CHECKPOINT_FILES or not found[name].is_file(follow_symlinks=False):
            yield unexpected(found[name])


def _content(path: Path, entry: Mapping[str, Any], survey: Survey, deep: bool) -> Iterator[Finding]:
    size = path.stat().st_size
    if size != entry["size"]:
        yield Finding(str(path), f"has {size:,} bytes, the manifest says {entry['size']:,}", RETRAIN)
    elif path.name == CONFIG:
        data = read_bytes(path, MAX_BYTES)
        if survey.config is not None and data != survey.config:
            yield Finding(str(path), "is not the same as the member's config.json", RETRAIN)
        elif hashlib.sha256(data).hexdigest() != entry["sha256"]:
            yield Finding(str(path), "does not have the digest in the manifest", RETRAIN)
    else:
        slots = safetensors_io.read_header(path)
        if survey.architecture is not None:
            from vitzoo.zoo import declaration

            declaration.check(slots, survey.architecture, path)
        if deep and regular.sha256(path) != entry["sha256"]:
            yield Finding(str(path), "does not have the digest in the manifest: its bytes have changed", RETRAIN)


def _parent(survey: Survey, others: Mapping[str, Survey]) -> Iterator[Finding]:
    reference = survey.member.config["parent"]
    if reference is None:
        return
    path, parent = str(survey.member.path / CONFIG), others.get(reference["member"])
    if parent is None:
        yield Finding(path, f"names the parent {reference['member']!r}, which is not in the zoo", RETRAIN)
    elif parent.config is not None and parent.member.id != reference.get("id"):
        yield Finding(path, f"names the parent {reference['member']!r} with another id than it has", RETRAIN)


def _origin(
    survey: Survey, epoch: int, before: int | None, manifest: Manifest, others: Mapping[str, Survey]
) -> str | None:
    """Say what is wrong with the origin of a checkpoint, ``None`` if nothing is."""
    edge, member = manifest["parent"], survey.member
    if before is None and member.stage != FINETUNING:
        first = f"the first checkpoint of {member.stage} has none"
        return None if edge is None else f"names a parent, although {first}"
    if edge is None:
        return "names no parent, although only the first checkpoint of pre-training has none"
    expected = member.name if before is not None else member.config["parent"]["member"]
    if edge["member"] != expected or (before is not None and edge["epoch"] != before):
        return f"comes from {edge['member']!r}, epoch {edge['epoch']}, which is not the checkpoint before it"
    return _absent(edge, others)


def _merged(survey: Survey, recorded: merge.Merge, others: Mapping[str, Survey]) -> Iterator[Finding]:
    """Check that what was merged is in the zoo, as it was, and that the member has the one checkpoint it can have."""
    for edge in merge.origins(recorded):
        if problem := _absent(edge, others):
            yield Finding(str(survey.member.path / CONFIG), problem, RETRAIN)
    for epoch in survey.epochs:
        if epoch != 0:
            path = str(survey.member.path / checkpoint_name(epoch))
            yield Finding(path, "is there, although a merged member has epoch 0 alone", "Move it out of the zoo.")


def _absent(edge: Mapping[str, Any], others: Mapping[str, Survey]) -> str | None:
    """Say that a checkpoint something came from is not there, or is another one now; ``None`` if all is well."""
    origin = others.get(edge["member"])
    if origin is None or edge["epoch"] not in origin.epochs:
        return f"comes from {edge['member']!r}, epoch {edge['epoch']}, which is not in the zoo"
    there = origin.manifests.get(edge["epoch"])
    if there is not None and there["files"][WEIGHTS]["sha256"] != edge["sha256"]:
        return f"comes from {edge['member']!r}, epoch {edge['epoch']}, which has other weights now"
    return None


def _lost(survey: Survey, lines: results.Lines) -> Iterator[Finding]:
    for epoch in lines:
        kept = survey.member.keeps(epoch) and not lines[epoch].get("diverged", False)
        if kept and epoch not in survey.epochs:
            path = survey.member.path / checkpoint_name(epoch)
            yield Finding(str(path), f"is missing, although {RESULT} has a line for it", RETRAIN)

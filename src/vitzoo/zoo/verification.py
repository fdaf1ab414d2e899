"""Every byte accounted for: compare a zoo with its specification, ``docs/format.md``. Nothing is ever repaired here."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitzoo.errors import IntegrityError, VitzooError
from vitzoo.zoo import rows, verify_member, zoo_json
from vitzoo.zoo.finding import Finding, damaged, unexpected
from vitzoo.zoo.layout import (
    BLUEPRINT,
    FINETUNING,
    GROW,
    GROWN,
    MEASURES,
    ROOT_DIRECTORIES,
    ROOT_FILES,
    STAGES,
    ZOO_JSON,
    is_name,
)
from vitzoo.zoo.member import Member
from vitzoo.zoo.regular import read_bytes
from vitzoo.zoo.store import Zoo
from vitzoo.zoo.strict_json import MAX_BYTES

Progress = Callable[[int, int], None]
FREE = frozenset({MEASURES, GROW})


@dataclass
class Report:
    """What ``verify`` found: findings (none if all is well), notes, and how much was looked at."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    members: int = 0
    checkpoints: int = 0
    bytes: int = 0
    deep: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(zoo: Zoo, deep: bool = False, progress: Progress | None = None) -> Report:
    """Check a zoo and return a report; it raises only if the zoo cannot be looked at at all, as from another machine.

    Quick: everything is there, nothing else is, sizes, headers, references, metrics. ``deep``: every digest as well,
    which reads every byte. ``progress`` is called with (checkpoints done, checkpoints in all).
    """
    zoo.files.check_here("verified")
    report = Report(deep=deep)
    report.findings += _root(zoo, report.notes)
    members = []
    for stage in STAGES:
        report.findings += _stage(zoo.path / stage, nested=stage == FINETUNING)
        members += zoo.members(stage)
    report.members = len(members)
    report.findings += _names(members)
    seen = [verify_member.survey(member) for member in members]
    _checkpoints(seen, report, progress)
    for survey in seen:
        # References need what all members hold, metrics need what this one holds.
        report.findings += verify_member.references(survey, {other.member.name: other for other in seen})
        report.findings += verify_member.results_agree(survey)
    report.findings += _columns(seen)
    report.findings.sort(key=lambda finding: finding.path)
    return report


def _checkpoints(seen: list[verify_member.Survey], report: Report, progress: Progress | None) -> None:
    """Check all checkpoints, in threads: waiting for the disk and hashing release the interpreter."""
    jobs = [(survey, epoch) for survey in seen for epoch in survey.epochs]
    report.checkpoints = len(jobs)
    report.findings += [finding for survey in seen for finding in survey.findings]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = pool.map(lambda job: verify_member.checkpoint(*job, deep=report.deep), jobs)
        for done, ((survey, epoch), result) in enumerate(zip(jobs, results, strict=True), 1):
            report.findings += result.findings
            report.bytes += result.bytes
            if result.manifest is not None:
                survey.manifests[epoch] = result.manifest
            if progress is not None:
                progress(done, len(jobs))


def _root(zoo: Zoo, notes: list[str]) -> Iterator[Finding]:
    for entry in _entries(zoo.path):
        file = entry.is_file(follow_symlinks=False) and entry.name in ROOT_FILES
        if not file and not (entry.is_dir(follow_symlinks=False) and entry.name in ROOT_DIRECTORIES):
            yield unexpected(entry)
        if entry.name == GROW:
            notes.append(f"The state of a grower is in {GROW}; the zoo may be growing now, or was interrupted.")
        if entry.name == MEASURES and entry.is_dir(follow_symlinks=False):
            notes.append(f"The caches in {MEASURES} are not checked; they can be computed again.")
    try:
        zoo_json.read(zoo.path / ZOO_JSON)
    except VitzooError as error:
        yield damaged(zoo.path / ZOO_JSON, error)
    for name in (BLUEPRINT, *GROWN):
        if not os.path.lexists(zoo.path / name):
            yield Finding(str(zoo.path / name), "is missing", "Restore it from a copy of the zoo.")
    yield from _blueprint(zoo.path / BLUEPRINT)


def _blueprint(path: Path) -> Iterator[Finding]:
    """A blueprint must be readable as plain data; whether it can be grown is asked by who grows it."""
    from vitzoo.blueprint import reader  # only here: to read a zoo needs no schema of blueprints

    if not path.is_file() or path.is_symlink():
        return  # said already
    try:
        data = reader.read(reader.decode(read_bytes(path, MAX_BYTES), str(path)), str(path))
    except VitzooError as error:
        yield damaged(path, error)
        return
    if not isinstance(data, dict | None):
        yield Finding(str(path), "holds no mapping of fields", "Restore it from a copy of the zoo.")


def _stage(place: Path, nested: bool) -> Iterator[Finding]:
    """Nothing but directories with members' names may be in a stage; in fine-tuning, one level further down too."""
    if not place.is_dir() or place.is_symlink():
        return
    for entry in _entries(place):
        if entry.is_dir(follow_symlinks=False) and is_name(entry.name):
            if nested:
                yield from _stage(Path(entry.path), nested=False)
        else:
            yield unexpected(entry)


def _names(members: list[Member]) -> Iterator[Finding]:
    taken: dict[str, Member] = {}
    for member in members:
        other = taken.setdefault(member.name.casefold(), member)
        if other is not member:
            yield Finding(str(member.path), f"has the same name as {other.path}", "Remove one of the two.")


def _columns(seen: list[verify_member.Survey]) -> Iterator[Finding]:
    """What members are described by must go into one table."""
    known = rows.Columns()
    for survey in seen:
        if survey.config is None:
            continue
        own = rows.factors(survey.member.recipe)
        metrics = {name: None for manifest in survey.manifests.values() for name in manifest["metrics"]}
        long = rows.too_long(own)
        problem = f"has a {long!r} of more than {rows.MAX_FACTOR:,} characters" if long else None
        if problem := problem or known.admit([*own, *rows.metrics(metrics, own)]):
            yield Finding(str(survey.member.path), problem, "Take it out of the zoo, or change what it is called.")


def _entries(place: Path) -> list[Any]:
    try:
        with os.scandir(place) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise IntegrityError(f"{place} cannot be listed: {error.strerror}. Check its permissions.") from error

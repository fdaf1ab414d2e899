"""A fetch from beginning to end: plan it, look at what is there, bring the rest."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from vitzoo.errors import DataError, InputError, IntegrityError
from vitzoo.sharing.fetching import ledger as ledgers
from vitzoo.sharing.fetching.access import Access, Tell, silent
from vitzoo.sharing.fetching.download import download, is_intact
from vitzoo.sharing.fetching.ledger import Ledger, Record
from vitzoo.sharing.fetching.opening import PUBLISHED, open_source
from vitzoo.sharing.fetching.patience import Patience
from vitzoo.sharing.fetching.planning import Plan, Query, plan
from vitzoo.sharing.fetching.source import Entry, SourceError
from vitzoo.sharing.fetching.survey import Problem
from vitzoo.sharing.fetching.target import Standing, Target
from vitzoo.zoo.atomic import make_directories

OF_FILE = (SourceError, IntegrityError, DataError, InputError)  # what is wrong with one file; the others go on
GIVE_UP = 3  # times as many failures in a row as there are threads: nobody answers there any more


@dataclass
class Outcome:
    """What a fetch did; ``checked`` counts fetched files by what they were compared with, sizes are in bytes."""

    fetched: int = 0
    received: int = 0
    present: int = 0
    damaged: int = 0
    checked: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)


def fetch(
    to: Path | str,
    query: Query | None = None,
    source: str = PUBLISHED,
    *,
    parallel: int = 8,
    deep: bool = True,
    insecure: bool = False,
    patience: Patience | None = None,
    options: dict[str, Any] | None = None,
) -> Outcome:
    """Fetch what a query chooses into a directory, as ``vitzoo fetch`` does, and return what was done.

    Files that cannot be had are problems of the outcome; whoever repeats the call goes on with them.
    """
    patience = patience or Patience()
    access = Access(open_source(source, insecure, patience, options), parallel, patience)
    return carry_out(plan(access, query or Query()), access, Path(to), deep)


def standing(planned: Plan, to: Path) -> Standing:
    """Compare a plan with a directory, which is not changed and need not be there."""
    if to.exists() and not to.is_dir():
        raise InputError(f"{to} is no directory; files are fetched into one.")
    return Target(to).standing(planned.entries, ledgers.read(to, planned.source))


def carry_out(planned: Plan, access: Access, to: Path, deep: bool = True, tell: Tell = silent) -> Outcome:
    """Fetch what is missing; ``deep`` reads and hashes what is there, else sizes and versions are believed.

    Raises:
        VitzooError: there is no room, or a file cannot be written; what has arrived stays.
        BusyError: another process fetches into the directory.
        SourceError: nobody answers at the source any more.
    """
    target = Target(to)
    target.check_room(standing(planned, to))
    make_directories(to)
    with ledgers.writing(to, planned.source) as ledger:
        there = target.standing(planned.entries, ledger)
        target.tidy(there)
        outcome = Outcome(problems=[*planned.problems, *there.blocked])
        damaged = _check(there, access, target, tell) if deep else []
        outcome.present, outcome.damaged = len(there.present) - len(damaged), len(damaged)
        missing = [*there.missing, *damaged]
        left = there.left + sum(entry.size or 0 for entry in damaged)
        _bring(missing, left, access, target, ledger, outcome, tell)
    outcome.problems.sort()
    return outcome


def _check(there: Standing, access: Access, target: Target, tell: Tell) -> list[Entry]:
    """Hash what is there; return the files that have changed since they were fetched."""
    meter = _Meter("Checking", sum(record.size for _, record in there.present), tell)
    damaged = []

    def check(item: tuple[Entry, Record]) -> bool:
        return is_intact(target.path(item[0]), item[1], access, meter.add)

    for (entry, _), intact, error in access.each(check, there.present):
        if error:
            raise error
        if not intact:
            damaged.append(entry)
    return damaged


def _bring(
    missing: list[Entry], left: int, access: Access, target: Target, ledger: Ledger, outcome: Outcome, tell: Tell
) -> None:
    meter = _Meter("Fetching", left, tell)
    silence = 0
    for entry, record, error in access.each(lambda entry: download(access, entry, target, ledger, meter.add), missing):
        if record:
            outcome.fetched += 1
            outcome.checked[record.checked] += 1
            silence = 0
        elif isinstance(error, OF_FILE):
            outcome.problems.append(Problem(entry.path, str(error)))
            silence += isinstance(error, SourceError) and error.passing
        else:
            raise error or AssertionError(entry.path)
        outcome.received = meter.received
        if silence >= GIVE_UP * access.parallel:
            raise SourceError(
                f"{silence} files in a row could not be had; the last: {error} What has arrived stays; "
                "repeat the command to go on."
            )


class _Meter:
    """Counts bytes of many threads and tells of them."""

    def __init__(self, what: str, total: int, tell: Tell) -> None:
        self._what, self._total, self._tell = what, total, tell
        self._lock = Lock()
        self.done = self.received = 0

    def add(self, amount: int) -> None:
        with self._lock:
            self.done += amount
            self.received += max(0, amount)
            self._tell(self._what, self.done, self._total)

"""What is to be fetched, file by file, before anything is."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from vitzoo.errors import DataError
from vitzoo.sharing.fetching.access import Access, Tell, silent
from vitzoo.sharing.fetching.choice import Chosen, choose
from vitzoo.sharing.fetching.epochs import parse
from vitzoo.sharing.fetching.factors import configs
from vitzoo.sharing.fetching.names import check_storable
from vitzoo.sharing.fetching.source import Entry, SourceError
from vitzoo.sharing.fetching.survey import Problem, survey
from vitzoo.sharing.official.places import OPTIMIZER, weights_among
from vitzoo.zoo.layout import STAGES

MAX_CHECKPOINTS = 1_000_000


@dataclass(frozen=True)
class Query:
    """What is asked for; see ``vitzoo fetch --help`` for each."""

    where: str | None = None
    epochs: str = "last"
    with_parents: bool = True
    optimizer_state: bool = False


@dataclass(frozen=True)
class Line:
    """A line of the estimate: ``stage``, or the parents that were not asked for; sizes in bytes."""

    stage: str
    asked: bool
    members: int
    checkpoints: int
    files: int
    size: int


@dataclass
class Plan:
    """All files that are to be fetched, by member, with notes and with what could not be looked at."""

    source: str
    chosen: list[Chosen]
    files: dict[str, list[Entry]]  # by the path of the member; "" for what says what the source is
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def entries(self) -> list[Entry]:
        """Every file, members after their parents."""
        return [entry for entries in self.files.values() for entry in entries]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return _size(self.entries)

    def lines(self) -> list[Line]:
        """Sum up by stage, parents that were not asked for apart."""
        groups: dict[tuple[str, bool], list[Chosen]] = {}
        for one in self.chosen:
            groups.setdefault((one.stage, one.asked), []).append(one)
        found = []
        for (stage, asked), group in sorted(groups.items(), key=lambda item: (STAGES.index(item[0][0]), item[0][1])):
            files = [entry for one in group for entry in self.files[one.member.path]]
            numbers = sum(len(one.numbers) for one in group)
            found.append(Line(stage, asked, len(group), numbers, len(files), _size(files)))
        return found


def plan(access: Access, query: Query, tell: Tell = silent) -> Plan:
    """Look at the source and choose; nothing is written.

    Raises:
        SourceError: the source does not answer.
        InputError: the query cannot be used, or nothing fits it.
        DataError: what is there is no zoo.
        IntegrityError: a chosen file has a name that cannot be stored.
    """
    epochs = parse(query.epochs)
    surveyed = survey(access, tell)
    read, unread = configs(access, surveyed.members, tell)
    if not read:
        raise DataError(f"{access.source.address} has no config that can be read. {unread[0].path}: {unread[0].reason}")
    chosen, notes = choose(surveyed.members, read, query.where, epochs, query.with_parents)
    planned = Plan(access.source.address, chosen, {"": surveyed.about}, notes, [*surveyed.problems, *unread])
    _list_checkpoints(planned, access, query.optimizer_state, tell)
    check_storable(entry.path for entry in planned.entries)
    return planned


def _list_checkpoints(planned: Plan, access: Access, optimizer_state: bool, tell: Tell) -> None:
    """Fill in the files of the chosen members, which takes a request for each folder of a checkpoint."""
    folders = {path: one for one in planned.chosen for number in one.numbers for path in one.member.checkpoints[number]}
    if len(folders) > MAX_CHECKPOINTS:
        raise DataError(f"{planned.source} has {len(folders):,} such checkpoints, more than a zoo. Ask for fewer.")
    listed: dict[str, list[Entry]] = {}
    for path, entries, error in access.each(access.entries, folders):
        if isinstance(error, SourceError) and not error.passing:
            planned.problems.append(Problem(path, str(error)))
            listed[path] = []
        elif entries is None:
            raise error or AssertionError(path)
        else:
            listed[path] = _wanted(entries, optimizer_state)
            if not listed[path]:
                planned.problems.append(Problem(path, "It holds no weights."))
        tell("Listing checkpoints", len(listed), len(folders))
    for one in planned.chosen:
        above = [entry for entry in (one.member.config, one.member.result) if entry]
        own = [entry for number in one.numbers for path in one.member.checkpoints[number] for entry in listed[path]]
        planned.files[one.member.path] = above + own
    planned.problems.sort()


def _wanted(entries: list[Entry], optimizer_state: bool) -> list[Entry]:
    """The weights in a checkpoint's folder, and the optimizer's state if it is asked for."""
    files = {entry.name: entry for entry in entries if entry.size is not None}
    weights = weights_among(list(files))
    states = [entry for name, entry in sorted(files.items()) if optimizer_state and name.startswith(OPTIMIZER)]
    return [files[weights], *states] if weights else []


def _size(entries: Iterable[Entry]) -> int:
    return sum(entry.size or 0 for entry in entries)

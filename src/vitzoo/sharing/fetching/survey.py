"""Find the members at a source by listing its folders: one request each, none for the folders of checkpoints."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from vitzoo.errors import DataError, InputError
from vitzoo.sharing.fetching.access import Access, Tell, silent
from vitzoo.sharing.fetching.source import Entry, SourceError
from vitzoo.sharing.official.places import CONFIGS, RESULT, number_of
from vitzoo.zoo.layout import ZOO_JSON

DEPTH = 6  # folders between the source and a member, at most
MAX_FOLDERS = 20_000  # listed in all
MAX_NAMES = 2_000_000  # in all of them
ABOUT = frozenset(
    {"readme.md", "readme.txt", "readme", "license", "license.md", "license.txt", "citation.cff", "provenance.json"}
)


@dataclass(frozen=True)
class Member:
    """A member's folder at the source; ``checkpoints`` are folders by number (two if one number has two paddings)."""

    path: str
    config: Entry | None
    result: Entry | None
    checkpoints: dict[int, list[str]]

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


@dataclass(frozen=True, order=True)
class Problem:
    """Something at the source that cannot be had, and why."""

    path: str
    reason: str


@dataclass
class Survey:
    """The members at a source, the files that say what it is, and which folders could not be listed."""

    members: list[Member] = field(default_factory=list)
    about: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def survey(access: Access, tell: Tell = silent) -> Survey:
    """List folders level by level until each leads to a member.

    Raises:
        SourceError: the source does not answer.
        InputError: it is a single member, or a zoo of vitzoo's own.
        DataError: it holds no member, or goes deeper or wider than a zoo does.
    """
    root = access.entries("")
    _check_root(access.source.address, root)
    found = Survey(about=[entry for entry in root if entry.size is not None and entry.name.lower() in ABOUT])
    level, folders, names = _below(root), 1, len(root)
    for _ in range(DEPTH):
        folders += len(level)
        if folders > MAX_FOLDERS or names > MAX_NAMES:
            raise DataError(f"{access.source.address} has more folders than a zoo. Give the address of one of them.")
        following: list[str] = []
        for path, entries, error in access.each(access.entries, level):
            if isinstance(error, SourceError) and not error.passing:
                found.problems.append(Problem(path, str(error)))
                continue
            if entries is None:
                raise error or AssertionError(path)
            names += len(entries)
            if member := _member(path, entries):
                found.members.append(member)
            else:
                following += _below(entries)
            tell("Listing", len(found.members), 0)
        level = sorted(following)
        if not level:
            break
    else:
        raise DataError(f"{access.source.address} goes deeper than {DEPTH} folders, for example {level[0]!r}.")
    if not found.members and found.problems:
        raise SourceError(found.problems[0].reason)
    if not found.members:
        raise DataError(f"{access.source.address} holds no members: no folder with {RESULT} or checkpoint_<number>.")
    found.members.sort(key=lambda member: member.path)
    return found


def _member(path: str, entries: list[Entry]) -> Member | None:
    """The member whose folder this is; ``None`` if it is a folder on the way to members, or beside them."""
    files = {entry.name: entry for entry in entries if entry.size is not None}
    checkpoints: dict[int, list[str]] = {}
    for entry in entries:
        if entry.size is None and (number := number_of(entry.name)) is not None:
            checkpoints.setdefault(number, []).append(entry.path)
    if not checkpoints and RESULT not in files:
        return None
    config = next((files[name] for name in CONFIGS if name in files), None)
    return Member(path, config, files.get(RESULT), dict(sorted(checkpoints.items())))


def _below(entries: list[Entry]) -> list[str]:
    """Folders to look into; hidden ones hold no members."""
    return sorted(entry.path for entry in entries if entry.size is None and not entry.name.startswith("."))


def _check_root(address: str, entries: list[Entry]) -> None:
    names = {entry.name for entry in entries}
    if ZOO_JSON in names:
        raise InputError(
            f"{address} is a zoo of vitzoo's own, which is opened where it lies: vitzoo.open({address!r})."
        )
    if _member("", entries):
        above, _, name = address.rstrip("/").rpartition("/")
        raise InputError(f"{address} is one member. Give {above}/ and --where \"member = '{name}'\".")

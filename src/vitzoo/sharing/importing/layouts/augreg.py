"""AugReg's table of 52,000 ViTs (Steiner et al. 2021) beside a folder of its archives: who was adapted from whom, how.

``index.csv`` has a row per adaptation: ``filename`` is the model it began with, ``adapt_filename`` its own. Of both
only the last state was published. Members are models whose archives are there; the rest of the table is counted.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vitzoo.errors import InputError, IntegrityError
from vitzoo.sharing.importing.layouts import augreg_study as study
from vitzoo.sharing.importing.survey import File, Found, Survey, Unplaced
from vitzoo.sharing.importing.tables import many, shares
from vitzoo.sharing.importing.tables import table as tables
from vitzoo.sharing.importing.tables.table import Table
from vitzoo.zoo import regular

NAME = "augreg"
INDEX = "index.csv"
ENDING = ".npz"
DEPTH = 2  # folders between the root and an archive, at most
FILES = 200_000
COLUMNS = ("name", "ds", "epochs", "lr", "aug", "wd", "do", "sd", "filename", "adapt_filename")
_HEADER = 64_000  # bytes in which the first line ends
#: Columns of accuracies: of the model an adaptation began with, and of the adaptation.
_UPSTREAM = {"final_val": "val_acc", "final_test": "test_acc"}
_ADAPTED = {"adapt_final_val": "val_acc", "adapt_final_test": "test_acc"}


def fits(root: Path) -> bool:
    """Say whether AugReg's table lies in a folder, or beside a folder of archives."""
    if _is_index(root / INDEX):
        return True
    return _is_index(root.resolve().parent / INDEX) and next(_archives(root), None) is not None


def survey(root: Path, table: Path | None = None) -> Survey:
    """List the models of the table whose archives lie below a folder; ``table`` is the index if it lies elsewhere.

    InputError if there is no index, or it is not AugReg's.
    """
    index = _index(table or _beside(root))
    archives: dict[str, _Archive] = {}
    result = Survey(NAME, root)
    for key, file in _archives(root):
        name = key.rpartition("/")[2].removesuffix(ENDING)
        if file is None:
            result.unplaced.append(Unplaced(key, "is a symbolic link, which is not followed", model=True))
        elif name in archives:
            result.unplaced.append(Unplaced(key, f"has the same name as {archives[name].key}", model=True))
        else:
            archives[name] = _Archive(key, file)
    reading = _Reading(index, archives)
    for row in range(len(index)):
        reading.add(row)
    result.members = [*reading.upstream.values(), *reading.adapted.values()]
    result.unplaced += reading.unplaced()
    return result


@dataclass(frozen=True)
class _Archive:
    """An archive that is there: its place below the root, and the file."""

    key: str
    file: File


class _Reading:
    """Members found so far in a table, and what is left out, by why."""

    def __init__(self, index: Table, archives: dict[str, _Archive]) -> None:
        self.index, self.archives = index, archives
        self.place = {column: number for number, column in enumerate(index.columns)}
        self.shares = {column: _shares(index, self.place[column]) for column in _columns_of_shares(index)}
        self.upstream: dict[str, Found] = {}
        self.adapted: dict[str, Found] = {}
        self.hybrids: set[str] = set()
        self.absent: set[str] = set()
        self.twice: set[str] = set()

    def add(self, row: int) -> None:
        """Add the models of a row that are there: the one it began with, and its adaptation."""
        upstream, adapted = (self.index.text(row, self.place[column]) for column in ("filename", "adapt_filename"))
        hybrid = study.is_hybrid(self.index.text(row, self.place["name"]))
        for name in (upstream, adapted):
            if name not in self.archives:
                self.absent.add(name)
            elif hybrid:
                self.hybrids.add(name)
        if hybrid:
            return
        if upstream in self.archives and upstream not in self.upstream:
            self.upstream[upstream] = self._upstream(row, upstream)
        if adapted in self.adapted or adapted == upstream:
            self.twice.add(adapted)
        elif adapted in self.archives:
            self.adapted[adapted] = self._adapted(row, adapted, upstream)

    def unplaced(self) -> list[Unplaced]:
        """Tell of archives that are no members, and of how much of the table is not here."""
        index = self.index.name
        known = {*self.upstream, *self.adapted, *self.hybrids}
        hybrids, strangers = (sorted(map(self._key, names)) for names in (self.hybrids, set(self.archives) - known))
        found = many.unplaced(hybrids, "is a hybrid of ResNet and ViT, which no zoo holds", model=True)
        found += many.unplaced(strangers, f"is not in {index}", model=True)
        found += many.unplaced(sorted(self.twice), f"has several rows in {index}; the first counts")
        if self.absent:
            reason = f"names {len(self.absent):,} models that are not in the folder, beside those that are"
            found.append(Unplaced(index, reason))
        return found

    def _upstream(self, row: int, name: str) -> Found:
        said = {column: value for column, value in self.index.row(row).items() if study.is_upstream(column)}
        epochs = said["epochs"] if type(said["epochs"]) is int and said["epochs"] > 0 else 1
        recipe, notes = study.upstream(said)
        checkpoints, metrics = {epochs: self.archives[name].file}, {epochs: self._metrics(row, _UPSTREAM)}
        return Found(self._key(name), name, "pretraining", checkpoints, recipe, said, metrics, notes=notes)

    def _adapted(self, row: int, name: str, upstream: str) -> Found:
        said = self.index.row(row)
        recipe, notes = study.adapted(said)
        return Found(
            self._key(name),
            name,
            "finetuning",
            {1: self.archives[name].file},  # steps are told, not epochs
            recipe,
            said,
            {1: self._metrics(row, _ADAPTED)},
            parent=self._key(upstream) if upstream in self.archives else None,
            parent_hint=upstream,
            notes=notes,
        )

    def _key(self, name: str) -> str:
        return self.archives[name].key

    def _metrics(self, row: int, names: dict[str, str]) -> dict[str, float | int | None]:
        found = {metric: self.shares[column][row] for column, metric in names.items() if column in self.shares}
        return {metric: value for metric, value in found.items() if value is not None}


def _shares(index: Table, column: int) -> list[float | None]:
    found = shares.of_column([index.value(row, column) for row in range(len(index))])
    if found is None:
        name = index.columns[column]
        raise InputError(f"{index.name}, column {name!r}, holds what is neither shares nor percentages of images.")
    return found.values


def _columns_of_shares(index: Table) -> list[str]:
    return [column for column in (*_UPSTREAM, *_ADAPTED) if column in index.columns]


def _index(path: Path) -> Table:
    index = tables.read(path)
    if missing := [column for column in COLUMNS if column not in index.columns]:
        raise InputError(f"{path} is not AugReg's table: it has no column {', '.join(map(repr, missing))}.")
    return index


def _beside(root: Path) -> Path:
    for place in (root, root.resolve().parent):
        if _is_index(place / INDEX):
            return place / INDEX
    raise InputError(f"{root} has no {INDEX} of AugReg, nor the folder above it; give its path as the table.")


def _is_index(path: Path) -> bool:
    """Say whether a file begins with the columns of AugReg's table."""
    try:
        with regular.opened(path) as descriptor:
            header = os.read(descriptor, _HEADER).partition(b"\n")[0]
    except IntegrityError:
        return False
    return {b"filename", b"adapt_filename", b"adapt_ds"} <= set(header.strip().split(b","))


def _archives(root: Path) -> Iterator[tuple[str, File | None]]:
    """Yield the archives below a folder by their places, ``None`` for links; InputError if it cannot be listed."""
    waiting, left = [(root, "", 0)], FILES
    while waiting:
        place, before, depth = waiting.pop(0)
        try:
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(f"{place} cannot be listed: {error.strerror}.") from error
        left -= len(listed)
        if left < 0:
            raise InputError(f"{root} holds more than {FILES:,} names, more than AugReg has models.")
        for entry in listed:
            if entry.is_dir(follow_symlinks=False) and depth < DEPTH:
                waiting.append((Path(entry.path), f"{before}{entry.name}/", depth + 1))
            elif entry.name.endswith(ENDING) and entry.is_symlink():
                yield before + entry.name, None
            elif entry.name.endswith(ENDING) and entry.is_file(follow_symlinks=False):
                yield before + entry.name, File(Path(entry.path), entry.stat(follow_symlinks=False).st_size)

"""The directory that files are fetched into: what of a plan lies there already, and how much room is left."""

import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vitzoo.errors import InputError, VitzooError
from vitzoo.sharing.fetching.ledger import Ledger, Record
from vitzoo.sharing.fetching.part import Part
from vitzoo.sharing.fetching.source import Entry
from vitzoo.sharing.fetching.survey import Problem
from vitzoo.zoo.atomic import make_directories

RESERVE = 64_000_000  # bytes that are left free for whoever else writes there


@dataclass
class Standing:
    """The files of a plan: ``present`` and of the right version, or ``missing`` in whole or in part.

    ``arrived`` are bytes of missing files that an earlier fetch brought. ``replaced`` counts missing files of which
    another version, or a damaged one, lies there. ``blocked`` are those in whose place lies something not fetched.
    """

    present: list[tuple[Entry, Record]] = field(default_factory=list)
    missing: list[Entry] = field(default_factory=list)
    blocked: list[Problem] = field(default_factory=list)
    arrived: int = 0
    replaced: int = 0

    @property
    def left(self) -> int:
        """Bytes that are still to be fetched."""
        return sum(entry.size or 0 for entry in self.missing) - self.arrived


class Target:
    """The directory ``root``, below which no symbolic link is followed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._plain: set[Path] = set()

    def path(self, entry: Entry) -> Path:
        """Where a file belongs; InputError if the way there leads over a link or a file."""
        return self._checked(self.root / entry.path)

    def make_way(self, entry: Entry) -> Path:
        """Return where a file belongs, and create the folders above it."""
        path = self.path(entry)
        make_directories(path.parent)
        return path

    def standing(self, entries: list[Entry], ledger: Ledger) -> Standing:
        """Compare what is there with what is to be there, by sizes and versions; no bytes are read."""
        found = Standing()
        for entry in entries:
            self._place(entry, ledger.records.get(entry.path), found)
        return found

    def tidy(self, standing: Standing) -> None:
        """Remove what a kill left beside files that it came just too late to stop."""
        for entry, _ in standing.present:
            Part(self.path(entry)).discard()

    def check_room(self, standing: Standing) -> None:
        """Raise VitzooError if the disk has no room for what is missing."""
        free = self.free()
        if standing.left + RESERVE > free:
            raise VitzooError(
                f"{self.root} has {free:,} bytes free, and {standing.left:,} are to be fetched. Nothing was written. "
                "Make room, fetch into another directory, or ask for fewer with --where or --epochs."
            )

    def free(self) -> int:
        """Bytes free where the directory is, or will be."""
        place = self.root.absolute()
        while not place.is_dir():
            place = place.parent
        return shutil.disk_usage(place).free

    def _place(self, entry: Entry, record: Record | None, found: Standing) -> None:
        path = self.path(entry)
        part = Part(path)
        try:
            status = path.lstat()
        except FileNotFoundError:
            status = None
        if status is not None and (record is None or not stat.S_ISREG(status.st_mode)):
            found.blocked.append(
                Problem(entry.path, "Something is there that was not fetched; move it away, and repeat to fetch it.")
            )
            return
        # A part beside the file is a newer version, which has its record already if a kill came before its rename.
        whole = status is not None and status.st_size == entry.size and not part.length()
        if whole and record and record.is_of(entry):
            found.present.append((entry, record))
            return
        mark = part.mark(entry)
        found.missing.append(entry)
        found.arrived += mark.start if mark else 0
        found.replaced += status is not None

    def _checked(self, path: Path) -> Path:
        relative = PurePosixPath(path.relative_to(self.root))
        for above in list(relative.parents)[-2::-1]:  # from below the root down
            place = self.root / above
            if place not in self._plain:
                if os.path.lexists(place) and (place.is_symlink() or not place.is_dir()):
                    raise InputError(
                        f"{place} is a symbolic link or no directory, so nothing is fetched into it. "
                        "Move it away, or fetch into another directory."
                    )
                if place.is_dir():
                    self._plain.add(place)
        return path

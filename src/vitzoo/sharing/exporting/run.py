"""An export from beginning to end: choose, ask the target what it will be, fill a staged folder, rename it once."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitzoo.errors import InputError
from vitzoo.measures.selection import LAST, Epochs, LeftOut
from vitzoo.sharing.exporting import files, targets
from vitzoo.sharing.exporting.choose import choose
from vitzoo.sharing.exporting.contract import Exporter, Order, Tell
from vitzoo.sharing.exporting.facts import KEPT, PROVENANCE, README, provenance, readme
from vitzoo.sharing.exporting.staging import check_target, staged
from vitzoo.zoo import Zoo
from vitzoo.zoo.strict_json import MAX_BYTES, read_bytes


@dataclass(frozen=True)
class Result:
    """What an export is, or will be: ``files`` and ``bytes`` are about what they will be if nothing was written."""

    to: str
    out: Path
    written: bool
    members: int
    checkpoints: int
    files: int
    bytes: int
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        plain = vars(self) | {"out": str(self.out), "notes": list(self.notes)}
        return plain | {"left_out": [vars(out) for out in self.left_out]}


def export(
    zoo: Zoo,
    to: str,
    out: Path,
    *,
    where: str | None = None,
    epochs: Epochs = LAST,
    part: str = "model",
    copy: bool = False,
    dry_run: bool = False,
    tell: Tell = lambda what, done, total: None,
) -> Result:
    """Export checkpoints of a zoo to a new folder, or with ``dry_run`` say what that would be.

    ``to`` is one of ``targets.NAMES``; ``where`` and ``epochs`` choose checkpoints as ``measures.select`` does.
    ``part`` is for npz, ``copy`` for timm. The folder appears when it is complete.

    Raises:
        InputError: the folder is not empty or within the zoo, nothing fits, or the target cannot hold what fits.
        IntegrityError: weights are not what their manifest says.

    >>> import vitzoo
    >>> export(vitzoo.open("zoos/nano"), "timm", Path("out"), where="optimizer = 'adamw'")  # doctest: +SKIP
    """
    exporter = targets.find(to)
    _check_options(exporter, part, copy)
    check_target(out, zoo.path)
    order = choose(zoo, where, epochs, part, copy)
    survey = exporter.survey(order, tell)
    about = (len(order.members), len(order.items))
    if dry_run:
        return Result(to, out, False, *about, survey.files, survey.bytes, survey.notes, order.left_out)
    with staged(out) as folder:
        notes = (*survey.notes, *exporter.write(order, folder, tell))
        _explain(order, exporter, notes, folder)
        size = _size(folder)
    return Result(to, out, True, *about, *size, notes, order.left_out)


def _check_options(exporter: Exporter, part: str, copy: bool) -> None:
    given = [*(["part"] if part != "model" else []), *(["copy"] if copy else [])]
    for name in given:
        if name not in exporter.options:
            raise InputError(f"An export to {exporter.name} has no choice of --{name}. Leave it out.")


def _explain(order: Order, exporter: Exporter, notes: Iterable[str], folder: Path) -> None:
    kept = [name for name in KEPT if (order.zoo.path / name).is_file()]  # of a remote zoo they stay where they are
    for name in kept:
        (folder / name).write_bytes(read_bytes(order.zoo.path / name, MAX_BYTES))
    files.write_json(folder / PROVENANCE, provenance(order, exporter))
    files.write_text(folder / README, readme(order, exporter, list(notes), kept))


def _size(folder: Path) -> tuple[int, int]:
    """Count the files of a folder, and their bytes."""
    found = [os.lstat(Path(place) / name).st_size for place, _, names in os.walk(folder) for name in names]
    return len(found), sum(found)

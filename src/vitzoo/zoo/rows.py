"""The catalogue's rows: one flat dict per checkpoint, from the tree. What the columns mean is in ``docs/format.md``."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo.checkpoint import Checkpoint
from vitzoo.zoo.layout import CONFIG, MANIFEST, MERGING, METRIC_NAME, STAGES, WEIGHTS

if TYPE_CHECKING:
    from vitzoo.zoo.member import Member
    from vitzoo.zoo.store import Zoo

Row = dict[str, Any]
# Groups of a recipe whose factors stand for themselves; the name of any other group goes in front.
_PLAIN = ("architecture", "dataset", "augmentation", "hyperparameters")
_SHORT = {"head_kind": "head", "source": "dataset"}
OF_PARENT = ("task", "seed", "batch_size", "optimizer", "lr", "weight_decay", "epochs", "dataset")
_FIRST = ("stage", "member", "id", "epoch", "is_last", "status", "method")
_FROM = ("from_member", "from_epoch", "from_sha256")
_PARENT = ("parent_member", "parent_epoch", "parent_sha256")
_LAST = ("path", "sha256", "size")
REQUIRED = (*_FIRST, *_PARENT, *_FROM, *_LAST)
MAX_COLUMNS = 2000
MAX_FACTOR = 4096  # characters of JSON: each checkpoint of the member repeats them


class Columns:
    """The columns of one zoo as they are met: not too many, and none that differs from another in case only."""

    def __init__(self) -> None:
        self._known = {name: name for name in REQUIRED}

    def admit(self, names: Iterable[str]) -> str | None:
        """Take the columns of a member; if they cannot be taken, say what is wrong with them and take none.

        >>> columns = Columns()
        >>> columns.admit(["lr", "test_acc"]), columns.admit(["Lr"])
        (None, "has 'Lr' beside 'lr', and columns must differ in more than case")
        """
        found = {**self._known}
        for name in names:
            if (other := found.setdefault(name.casefold(), name)) != name:
                return f"has {name!r} beside {other!r}, and columns must differ in more than case"
        if len(found) > MAX_COLUMNS:
            return f"has factors or metrics that make more than {MAX_COLUMNS} columns"
        self._known = found
        return None


def factors(recipe: dict[str, Any]) -> Row:
    """Flatten a recipe to one level with short names.

    >>> factors({"stage": "pretraining", "architecture": {"dim": 32, "head": {"kind": "mlp", "hidden": 8}},
    ...          "augmentation": {"crop": None, "flip": 0.5}, "hyperparameters": {"lr": 0.1}, "parent": None})
    {'dim': 32, 'head': 'mlp', 'head_hidden': 8, 'flip': 0.5, 'lr': 0.1}
    """
    row: Row = {}
    for group, value in recipe.items():
        if isinstance(value, dict):
            _flatten(value, "" if group in _PLAIN else f"{group}_", row, 1)
    return row


def metrics(found: Row, own: Row) -> Row:
    """Name a checkpoint's metrics as columns, beside those of its own factors.

    >>> metrics({"test_acc": 0.5, "lr": 0.1}, {"lr": 0.2})
    {'test_acc': 0.5, 'metric_lr': 0.1}
    """
    taken = {*own, *REQUIRED}
    return {f"metric_{name}" if name in taken or name.startswith("parent_") else name: v for name, v in found.items()}


def too_long(row: Row) -> str | None:
    """Name a factor that is too long to be repeated in the row of every checkpoint; ``None`` if there is none.

    >>> too_long({"lr": 0.1, "source": "x" * 5000})
    'source'
    """
    texts = (name for name, value in row.items() if isinstance(value, str | list | dict))
    return next((name for name in texts if len(json.dumps(row[name])) > MAX_FACTOR), None)


def all_rows(zoo: "Zoo") -> tuple[list[Row], dict[str, Any]]:
    """Read the whole tree; return the rows and a summary: members by status, checkpoints, bytes, what is unreadable."""
    rows: list[Row] = []
    unreadable: list[str] = []
    statuses: dict[str, int] = {}
    members = [member for stage in STAGES for member in zoo.members(stage)]
    of_parent: dict[str, Row] = {}
    known = Columns()
    for member in members:
        try:
            status = member.status
            found = _member_rows(member, status, of_parent, unreadable)
            if problem := known.admit({name: None for row in found for name in row}):
                raise IntegrityError(f"{member.path} {problem}. Take it out of the zoo.")
            rows += found
        except (IntegrityError, InputError, OSError) as error:
            status = "damaged"
            unreadable.append(str(error))
        counted = "merged" if member.stage == MERGING and status == "finished" else status
        statuses[counted] = statuses.get(counted, 0) + 1
    summary = {
        "members": dict(sorted(statuses.items())),
        "checkpoints": len(rows),
        "bytes": sum(row["size"] for row in rows),
        "unreadable": len(unreadable),
        "unreadable_first": unreadable[:3],
    }
    return rows, summary


def columns(rows: list[Row]) -> list[str]:
    """Order of the columns: what identifies a row, its origin, its factors, its metrics, where it lies."""
    seen = dict.fromkeys((*_FIRST, *_PARENT, *_FROM))
    for row in rows:
        seen |= dict.fromkeys(row)
    return [*(name for name in seen if name not in _LAST), *_LAST]


def _member_rows(member: "Member", status: str, of_parent: dict[str, Row], unreadable: list[str]) -> list[Row]:
    own = factors(member.recipe)
    if name := too_long(own):
        raise IntegrityError(f"{member.path / CONFIG} has a {name!r} of more than {MAX_FACTOR:,} characters.")
    of_parent[member.name] = {f"parent_{name}": own.get(name) for name in OF_PARENT}
    reference = member.config["parent"]
    above = of_parent.get(reference["member"], {}) if reference else {}
    kept = _read(member, unreadable)
    first = kept[0][1]["parent"] if kept else None
    origin = dict(zip(_PARENT, _edge(first), strict=True))
    root = member.zoo.path
    rows = []
    for checkpoint, manifest in kept:
        rows.append(
            {
                "stage": member.stage,
                "member": member.name,
                "id": member.id,
                "epoch": checkpoint.epoch,
                "is_last": checkpoint is kept[-1][0],
                "status": status,
                "method": member.merge["method"] if member.merge else None,
                **origin,
                **dict(zip(_FROM, _edge(manifest["parent"]), strict=True)),
                **own,
                **above,
                **metrics(manifest["metrics"], own),
                "path": checkpoint.path.relative_to(root).as_posix(),
                "sha256": manifest["files"][WEIGHTS]["sha256"],
                "size": _size(checkpoint.path, manifest),
            }
        )
    return rows


def _read(member: "Member", unreadable: list[str]) -> list[tuple[Checkpoint, dict[str, Any]]]:
    kept = []
    for checkpoint in member.checkpoints():
        try:
            kept.append((checkpoint, checkpoint.manifest))
        except IntegrityError as error:
            unreadable.append(str(error))
    return kept


def _flatten(group: dict[str, Any], prefix: str, row: Row, depth: int) -> None:
    for name, value in group.items():
        if isinstance(value, dict) and depth < 4:
            _flatten(value, f"{prefix}{name}_", row, depth + 1)
            continue
        if value is None and name in ("crop", "jitter", "blur", "fractals"):
            continue  # a group that is switched off has no factors
        column = _SHORT.get(prefix + name, prefix + name)
        if METRIC_NAME.fullmatch(column) and column not in REQUIRED:
            row[column] = value


def _edge(edge: dict[str, Any] | None) -> tuple[Any, Any, Any]:
    return (edge["member"], edge["epoch"], edge["sha256"]) if edge else (None, None, None)


def _size(path: Path, manifest: dict[str, Any]) -> int:
    """Bytes of the files of a checkpoint; only the manifest's own size has to be asked for."""
    files = manifest["files"]
    return files[WEIGHTS]["size"] + files[CONFIG]["size"] + (path / MANIFEST).stat().st_size

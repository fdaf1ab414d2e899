"""``result.json`` as others write it: JSON lines, an array, or an object of lists; with NaN, restarts, broken lines.

Ray Tune appends a line per iteration and goes on after a restore, which can leave an iteration twice or a line cut off.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitzoo.errors import InputError
from vitzoo.sharing import foreign_json
from vitzoo.zoo.layout import METRIC_NAME

MAX_FILE = 64_000_000  # of lines
MAX_DOCUMENT = 16_000_000  # of one array or object, which is parsed as a whole
ITERATION = "training_iteration"
#: What Ray writes of its own into every line: no metric of a model.
BOOKKEEPING = frozenset(
    {
        *("done", ITERATION, "trial_id", "experiment_id", "experiment_tag", "date", "timestamp", "time_since_restore"),
        *(
            "time_total_s",
            "pid",
            "hostname",
            "node_ip",
            "config",
            "iterations_since_restore",
            "timesteps_since_restore",
        ),
        *("timesteps_total", "episodes_total", "should_checkpoint", "warmup_time", "epoch", "iteration", "diverged"),
    }
)

Line = dict[str, Any]


@dataclass
class Curve:
    """Metrics by iteration, the iteration in which training diverged if a line says so, and what was odd."""

    lines: dict[int, Line] = field(default_factory=dict)
    diverged: int | None = None
    notes: list[str] = field(default_factory=list)


def read(path: Path) -> Curve:
    """Read a curve; the last line of an iteration counts. InputError if the file is none of the three forms."""
    data = foreign_json.read_text(path, MAX_FILE)
    curve = Curve()
    for position, line in enumerate(_lines(data, path, curve.notes)):
        iteration = line.get(ITERATION, line.get("iteration", line.get("epoch")))
        if type(iteration) is not int or iteration < 0:
            iteration = max(curve.lines, default=-1) + 1 if position else 0
            _once(curve.notes, "lines of result.json have no training_iteration; their order counts")
        if iteration in curve.lines:
            _once(curve.notes, "result.json has iterations twice, after a restart; the last of each counts")
        curve.lines[iteration] = _metrics(line, curve.notes)
        if line.get("diverged") is True:
            curve.diverged = iteration
    curve.lines = _as_shares(dict(sorted(curve.lines.items())), curve.notes)
    return curve


def _lines(data: bytes, path: Path, notes: list[str]) -> list[Line]:
    text = data.lstrip()
    if text[:1] == b"[":
        lines = foreign_json.parse(text, path, MAX_DOCUMENT)
    elif text[:1] == b"{":
        lines = _json_lines(text, path, notes)
        if len(lines) == 1 and any(isinstance(value, list) for value in lines[0].values()):
            lines = _transposed(lines[0], path)
    else:
        lines = []
        if text:
            raise InputError(f"{path} is no curve: it holds neither JSON lines nor an array nor an object.")
    if not all(isinstance(line, dict) for line in lines):
        raise InputError(f"{path} is no curve: it does not hold one object per epoch.")
    return lines


def _json_lines(text: bytes, path: Path, notes: list[str]) -> list[Line]:
    """Parse line by line; a document over several lines is parsed as a whole. Broken lines are left out and told."""
    found, broken = [], 0
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if line.strip():
                found.append(foreign_json.parse(line, f"{path}, line {number}"))
        except InputError:
            broken += 1
    if broken and not found:
        return [foreign_json.parse(text, path, MAX_DOCUMENT)]
    if broken:
        notes.append(f"{broken} line{'s' if broken > 1 else ''} of result.json cannot be read and are left out")
    return found


def _transposed(columns: Line, path: Path) -> list[Line]:
    """Turn an object of equally long lists into a list of objects."""
    lists = {name: value for name, value in columns.items() if isinstance(value, list)}
    if len({len(value) for value in lists.values()}) != 1:
        raise InputError(f"{path} is no curve: its lists are not equally long.")
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]


def _metrics(line: Line, notes: list[str]) -> Line:
    """Keep what a zoo can hold: numbers under names of metrics; infinite ones and NaN are ``None`` already."""
    kept = {}
    for name, value in line.items():
        if name in BOOKKEEPING:
            continue
        if isinstance(value, int | float) and not isinstance(value, bool) and METRIC_NAME.fullmatch(name):
            kept[name] = value
        elif value is None and METRIC_NAME.fullmatch(name):
            kept[name] = None
        else:
            _once(notes, f"{name[:60]!r} of result.json is no number under a metric's name and is left out")
    return kept


def _as_shares(lines: dict[int, Line], notes: list[str]) -> dict[int, Line]:
    """Write accuracies as shares: percentages, which exceed 1.5 somewhere in a curve, are divided by 100."""
    names = {name for line in lines.values() for name in line if name.endswith("_acc")}
    percent = {name for name in names if any((line.get(name) or 0) > 1.5 for line in lines.values())}
    if percent:
        notes.append(f"{', '.join(sorted(percent))} of result.json are percentages; they are stored as shares")
    return {
        iteration: {n: v / 100 if n in percent and v is not None else v for n, v in line.items()}
        for iteration, line in lines.items()
    }


def _once(notes: list[str], note: str) -> None:
    if note not in notes:
        notes.append(note)

"""``trainer_state.json``, which Hugging Face's trainer leaves with every checkpoint: epochs of steps, and a curve."""

from typing import Any

from vitzoo.errors import InputError
from vitzoo.sharing import foreign_json
from vitzoo.sharing.importing.layouts.folder.facts import Facts
from vitzoo.sharing.importing.layouts.folder.models import TRAINER, Model
from vitzoo.sharing.importing.tables import columns, shares
from vitzoo.sharing.importing.tables.values import number

MAX_STATE = 16_000_000


def add(facts: Facts, model: Model) -> dict[int, int]:
    """Add the curve of a model with checkpoints, and return the whole epochs of its steps, as far as they are told."""
    told: dict[int, int] = {}
    for checkpoint in model.checkpoints:
        if TRAINER not in checkpoint.folder.others:
            continue
        path = checkpoint.folder.path / TRAINER
        try:
            state = foreign_json.parse(foreign_json.read_text(path, MAX_STATE), path, MAX_STATE)
        except InputError as error:
            facts.notes.append(str(error).rstrip("."))
            continue
        if not isinstance(state, dict):
            continue
        epoch, step = _whole(state.get("epoch")), state.get("global_step")
        if epoch is not None and type(step) is int:
            told[step] = epoch
        _add_curve(facts, state.get("log_history"))
    _as_shares(facts)
    return told


def _add_curve(facts: Facts, history: Any) -> None:
    """Add what was evaluated at the end of an epoch; a later checkpoint repeats what earlier ones have."""
    for line in history if isinstance(history, list) else ():
        epoch = _whole(line.get("epoch")) if isinstance(line, dict) else None
        if epoch is None:
            continue
        for name, value in line.items():
            meaning = columns.meaning(name) if name.startswith("eval_") else None
            if meaning and meaning.kind == "metric":
                facts.metrics.setdefault(epoch, {})[meaning.name] = number(value)


def _as_shares(facts: Facts) -> None:
    """Write accuracies of the curve as shares, which a script may have logged in per cent."""
    lines = list(facts.metrics.values())
    for name in sorted({name for line in lines for name in line if columns.is_accuracy(name)}):
        found = shares.of_column([line.get(name) for line in lines])
        for line, value in zip(lines, found.values if found else [None] * len(lines), strict=True):
            if name in line:
                line[name] = value
        if found is None or found.percent:
            what = "is in per cent; it is stored as a share" if found else "is neither a share nor in per cent"
            facts.note(f"{name} of {TRAINER} {what}")


def _whole(value: Any) -> int | None:
    """The epoch if it is over, which a step in the midst of one is not."""
    epoch = number(value)
    return round(epoch) if epoch is not None and 0 <= epoch < 1e6 and abs(epoch - round(epoch)) < 1e-6 else None

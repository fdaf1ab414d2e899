"""What is to be predicted: columns of the catalogue as tensors, numbers as they are and words as codes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vitzoo.errors import InputError, nearest

Row = Mapping[str, Any]
MISSING = ("error", "nan")


@dataclass(frozen=True)
class Targets:
    """Targets of N checkpoints: a tensor [N] per column, float32, or int64 codes that ``levels`` explains."""

    values: dict[str, Tensor]
    levels: dict[str, list[Any]]


def make(rows: Sequence[Row], names: Iterable[str], categories: Iterable[str] = (), missing: str = "error") -> Targets:
    """Return the named columns of rows as tensors.

    A column of numbers or of yes and no is float32; one of words, or one in ``categories``, is int64: positions in its
    sorted levels. ``missing`` says what a number that a checkpoint lacks becomes: an error, or NaN.
    InputError names the column if there is no such, a value is missing, or it can be no target.

    >>> found = make([{"acc": 0.5, "opt": "sgd"}, {"acc": 0.75, "opt": "adamw"}], ["acc", "opt"])
    >>> found.values, found.levels
    ({'acc': tensor([0.5000, 0.7500]), 'opt': tensor([1, 0])}, {'opt': ['adamw', 'sgd']})
    """
    if missing not in MISSING:
        raise InputError(f"{missing!r} is no way to treat missing targets; use 'error' or 'nan'.")
    wanted, coded = list(dict.fromkeys((*names, *categories))), set(categories)
    values, levels = {}, {}
    for name in wanted:
        if name not in rows[0]:
            raise InputError(f"The catalogue has no column {name!r}, so it is no target.{nearest(name, rows[0])}")
        column = [row[name] for row in rows]
        if name in coded or any(isinstance(value, str) for value in column):
            values[name], levels[name] = _codes(name, column, rows)
        else:
            values[name] = _numbers(name, column, rows, missing)
    return Targets(values, levels)


def _codes(name: str, column: list[Any], rows: Sequence[Row]) -> tuple[Tensor, list[Any]]:
    _check_there(name, column, rows, "Narrow the condition to those that have it")
    try:
        levels = sorted(set(column))
    except TypeError:
        raise InputError(f"The column {name!r} holds values that cannot be told apart or sorted.") from None
    place = {level: code for code, level in enumerate(levels)}
    return torch.tensor([place[value] for value in column]), levels


def _numbers(name: str, column: list[Any], rows: Sequence[Row], missing: str) -> Tensor:
    if wrong := [value for value in column if not isinstance(value, int | float | None)]:
        raise InputError(f"The column {name!r} holds {str(wrong[0])[:80]!r}, which is neither a number nor a word.")
    if missing == "error":
        _check_there(name, column, rows, "Narrow the condition to those that have it, or give missing='nan'")
    return torch.tensor([float("nan") if value is None else float(value) for value in column])


def _check_there(name: str, column: list[Any], rows: Sequence[Row], remedy: str) -> None:
    lacking = [row for row, value in zip(rows, column, strict=True) if value is None]
    if lacking:
        where = f"{lacking[0]['member']}, epoch {lacking[0]['epoch']}"
        raise InputError(f"{len(lacking)} of {len(rows)} checkpoints have no {name!r}, the first is {where}. {remedy}.")

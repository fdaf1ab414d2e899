"""Generating factors of fine-tuned members and their levels, as the tables and figures name and order them."""

import math
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, TypeAlias

from vitzoo.errors import InputError

# pandas has no stubs here, and the types inferred from its source are unions that fit nothing.
DataFrame: TypeAlias = Any
Series: TypeAlias = Any

TASKS = ("supervised", "contrastive")  # the paper's order; other tasks follow by name
#: The level of members for which a factor has no value, such as children of a backbone that cannot be read.
UNKNOWN = "–"
# What tells backbones apart: column, and how a value is written.
_BACKBONE = (
    ("parent_task", "{}"),
    ("parent_dataset", "{}"),
    ("parent_seed", "seed {}"),
    ("parent_batch_size", "batch {}"),
    ("parent_optimizer", "{}"),
    ("parent_lr", "lr {}"),
    ("parent_weight_decay", "decay {}"),
    ("parent_epochs", "{} epochs"),
)


@dataclass(frozen=True)
class Factor:
    """A generating factor: its column in prepared rows, its name for people, the stage it belongs to."""

    column: str
    label: str
    of_parent: bool = False


FACTORS = (
    Factor("parent_task", "pre-training task", of_parent=True),
    Factor("backbone", "backbone", of_parent=True),
    Factor("optimizer", "optimizer"),
    Factor("lr", "learning rate"),
    Factor("head", "head"),
    Factor("seed", "fine-tuning seed"),
    Factor("batch_size", "batch size"),
    Factor("weight_decay", "weight decay"),
)


def finetuned(table: DataFrame) -> DataFrame:
    """Return all epochs of the finished fine-tuned members with a known test accuracy, prepared for analysis.

    ``table`` is ``zoo.table()``. Added columns: ``backbone``, a short name of the parent, and ``gap``, the
    generalisation gap ``train_acc_clean - test_acc`` as a fraction (NaN where it was not measured). ``backbone`` and
    ``parent_task`` are ordered. InputError if the zoo has no such member.
    """
    rows = table[(table["stage"] == "finetuning") & (table["status"] == "finished")]
    if "test_acc" in rows:
        rows = rows[rows["test_acc"].notna()]
    if rows.empty or "test_acc" not in rows:
        raise InputError("The zoo has no finished fine-tuned member with a test accuracy. Grow it first.")
    rows = with_backbones(rows)
    rows["gap"] = rows["train_acc_clean"] - rows["test_acc"] if "train_acc_clean" in rows else float("nan")
    return rows


def with_backbones(rows: DataFrame) -> DataFrame:
    """Return rows of members with ``parent_task`` and ``backbone``, a short name of the parent, ordered and never null.

    Tasks are in the paper's order, backbones by the factors that tell them apart, what is unknown last. Two parents
    never have one name. ``rows`` has ``parent_member`` and ``parent_sha256``, the other columns of parents if known.
    """
    rows = rows.copy()
    for column in {*(factor.column for factor in FACTORS), *(name for name, _ in _BACKBONE)} & {*rows.columns}:
        if rows[column].dtype == object:  # a stranger's config may have lists for factors
            rows[column] = rows[column].map(lambda value: value if isinstance(value, Hashable) else str(value))
    # Not every row knows its parent: the backbone's config may be damaged, and then all columns of it are empty.
    task = rows.get("parent_task")
    rows["parent_task"] = UNKNOWN if task is None else task.astype(object).where(task.notna(), UNKNOWN)
    rows["parent_task"] = _ordered(rows["parent_task"], sorted(rows["parent_task"].unique(), key=_task_rank))
    parent = rows["parent_member"].astype(object).where(rows["parent_member"].notna(), UNKNOWN)
    names = _backbones(rows.assign(parent_member=parent))
    rows["backbone"] = _ordered(parent.map(names), list(names.values()))
    return rows


def last_checkpoints(table: DataFrame) -> DataFrame:
    """Return the rows of ``finetuned`` at each member's last checkpoint; InputError if there are none."""
    rows = finetuned(table)
    rows = rows[rows["is_last"].astype(bool)]
    if rows.empty:
        raise InputError("No fine-tuned member has a test accuracy at its last checkpoint.")
    return rows


def levels(rows: DataFrame, column: str) -> list[Any]:
    """Return the levels of a factor that occur, in the order in which they are shown.

    >>> import pandas as pd
    >>> levels(pd.DataFrame({"lr": [1e-3, 1e-4, 1e-3]}), "lr")
    [0.0001, 0.001]
    """
    return rows[column].dropna().drop_duplicates().sort_values().tolist()


def varying(rows: DataFrame) -> list[Factor]:
    """Return the factors with at least two known levels, in the order in which they are shown."""
    return [f for f in FACTORS if f.column in rows and len({*levels(rows, f.column)} - {UNKNOWN}) > 1]


def text(value: Any) -> str:
    """Write a level for people.

    >>> text(0.003), text(1e-4), text(0.0), text(6312), text("adamw"), text(None), text(float("nan"))
    ('3e-3', '1e-4', '0', '6312', 'adamw', '–', '–')
    """
    if value is None or value != value:
        return UNKNOWN
    if not isinstance(value, float) or math.isinf(value):
        return str(value)
    if value.is_integer() and abs(value) < 2**53:  # a column of whole numbers with gaps holds floats
        return str(int(value))
    if 0.01 <= abs(value) < 1e5:
        return f"{value:g}"
    mantissa, exponent = f"{value:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def short_backbone(backbone: str, task: str) -> str:
    """Return a backbone's name without its task, where the task is shown beside it.

    >>> short_backbone("supervised, seed 42", "supervised")
    'seed 42'
    """
    return backbone.removeprefix(f"{task}, ")


def _backbones(rows: DataFrame) -> dict[str, str]:
    """Name the parents by the factors that tell them apart, ordered by those factors."""
    known = [(column, form) for column, form in _BACKBONE if column in rows]
    columns = [column for column, _ in known]
    parents = rows.drop_duplicates("parent_member").sort_values([*columns, "parent_member"])
    readable = parents[parents["parent_task"] != UNKNOWN]
    telling = [(column, form) for column, form in known if readable[column].nunique(dropna=False) > 1]
    names: dict[str, str] = {}
    for parent in parents.to_dict("records"):
        digest = str(parent["parent_sha256"])[:6]
        words = [form.format(text(parent[column])) for column, form in telling]
        if parent["parent_task"] == UNKNOWN:
            words = [UNKNOWN, digest]
        names[parent["parent_member"]] = _unused(", ".join(words) or str(parent["parent_task"]), digest, names.values())
    return names


def _unused(name: str, digest: str, taken: Collection[str]) -> str:
    """Tell parents that differ in none of their factors apart by the digest of their weights, else by a number."""
    longer = name if name.endswith(digest) else f"{name}, {digest}"
    candidates = chain((name, longer), (f"{longer} ({number})" for number in count(2)))
    return next(candidate for candidate in candidates if candidate not in taken)


def _ordered(values: Series, order: list[str]) -> Series:
    import pandas as pd

    return values.astype(pd.CategoricalDtype(order, ordered=True))


def _task_rank(task: str) -> tuple[int, str]:
    return (TASKS.index(task) if task in TASKS else len(TASKS), task)

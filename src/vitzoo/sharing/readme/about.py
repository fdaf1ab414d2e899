"""What a zoo is, in figures: counts, sizes, factors, backbones and accuracies, from its catalogue alone."""

import math
import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitzoo.errors import IntegrityError
from vitzoo.sharing.readme.accuracy import Level, accuracies
from vitzoo.sharing.readme.factors import Factor, factors
from vitzoo.zoo.layout import FINETUNING, PRETRAINING, STAGES

if TYPE_CHECKING:
    from vitzoo.zoo import Member, Zoo

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Backbone:
    """A pre-trained member, and the members that were fine-tuned from it: how many, and their mean test accuracy."""

    row: Row
    children: int
    accuracy: float | None


@dataclass(frozen=True)
class About:
    """A zoo, or the part of it that is spoken of.

    members: by stage; statuses: all by status, with those that have no checkpoint yet. epochs: the first and the last
    that a stage has checkpoints of. parameters: the smallest and the largest number of a member. accuracies: of the
    members of ``judged``, a stage. merged: how many by method. example: the row of the checkpoint that is loaded as an
    example, an accurate one. layouts: where members came from that were trained elsewhere. left: members of the zoo
    that are not spoken of.
    """

    name: str
    licence: str
    execution: Mapping[str, Any]
    members: Mapping[str, int]
    statuses: Mapping[str, int]
    checkpoints: int
    bytes: int
    epochs: Mapping[str, tuple[int, int]]
    parameters: tuple[int, int] | None
    factors: tuple[Factor, ...]
    backbones: tuple[Backbone, ...]
    tasks: Mapping[str, int]
    datasets: Mapping[str, tuple[str, ...]]
    judged: str
    accuracies: tuple[Level, ...]
    merged: Mapping[str, int]
    heads: frozenset[str]
    example: Row | None
    layouts: tuple[str, ...] = ()
    left: int = 0

    @property
    def total(self) -> int:
        """Number of members with a checkpoint."""
        return sum(self.members.values())


def about(zoo: "Zoo", names: Collection[str] | None = None) -> About:
    """Read what a zoo is, or the members with these names as if they were all of it."""
    from vitzoo.zoo import query  # only here: it comes with the database

    catalogue = zoo.catalogue()  # once: a young one is built whenever it is asked for
    every = [row for row in query.rows(catalogue, columns=["stage", "member", "epoch", "size"]) if _among(row, names)]
    members = [member for member in zoo.members() if names is None or member.name in names]
    last = [row for row in query.rows(catalogue, "is_last") if _among(row, names)]
    statuses = Counter[str](row["status"] for row in last)
    whole = catalogue.summary["members"]
    if names is None:
        statuses = Counter({name: count for name, count in whole.items() if name != "merged"})
        statuses["finished"] += whole.get("merged", 0)
    judged = FINETUNING if any(row["stage"] == FINETUNING for row in last) else PRETRAINING
    return About(
        zoo.name,
        zoo.licence,
        zoo.execution,
        _in_order(Counter(row["stage"] for row in last)),
        {name: count for name, count in sorted(statuses.items()) if count},
        len(every),
        sum(row["size"] for row in every),
        _epochs(every),
        _parameters(last),
        factors(last),
        _backbones(last),
        Counter(row.get("task") or "unknown" for row in last if row["stage"] == PRETRAINING),
        {stage: _distinct(last, stage, "dataset") for stage in STAGES},
        judged,
        accuracies(_judged(last, judged)),
        Counter(row["method"] for row in last if row["method"] is not None),
        frozenset(row["head"] for row in last if isinstance(row.get("head"), str)),
        _example(last, judged),
        tuple(sorted({layout for member in members if (layout := _layout(member))})),
        0 if names is None else sum(whole.values()) - len(names),
    )


def is_accuracy(row: Row) -> bool:
    """Say whether ``test_acc`` of a row is the accuracy of a classifier; contrastive tasks measure something else."""
    return isinstance(row.get("test_acc"), int | float) and row.get("task") in ("supervised", None)


def _layout(member: "Member") -> str:
    """Return the layout that a member was imported from; empty if it was grown, or cannot be read."""
    with suppress(IntegrityError):  # `vitzoo verify` says what is wrong with it
        return member.imported["layout"] if member.imported else ""
    return ""


def _among(row: Row, names: Collection[str] | None) -> bool:
    return names is None or row["member"] in names


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {stage: counts[stage] for stage in STAGES if counts.get(stage)}


def _epochs(rows: Sequence[Row]) -> dict[str, tuple[int, int]]:
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["stage"], []).append(row["epoch"])
    return {stage: (min(epochs), max(epochs)) for stage, epochs in found.items()}


def _parameters(rows: Sequence[Row]) -> tuple[int, int] | None:
    """Count by the shapes that the factors name; None unless those of all members are possible."""
    from pydantic import ValidationError

    from vitzoo.blueprint.schema import Backbone as Arch
    from vitzoo.model.shapes import parameter_shapes

    sizes = ("image_size", "patch_size", "dim", "depth", "heads", "mlp_ratio")
    heads = {"kind": "head", "hidden": "head_hidden", "outputs": "head_outputs"}
    found = []
    for values in {tuple(row.get(name) for name in (*sizes, *heads.values())) for row in rows}:
        head = dict(zip(heads, values[len(sizes) :], strict=True))
        try:
            arch = Arch.model_validate({**dict(zip(sizes, values, strict=False)), "head": head})
        except ValidationError:
            return None
        if arch.head.outputs is None:
            return None
        found.append(sum(math.prod(shape) for shape in parameter_shapes(arch).values()))
    return (min(found), max(found)) if found else None


def _backbones(rows: Sequence[Row]) -> tuple[Backbone, ...]:
    children: dict[str, list[Row]] = {}
    for row in rows:
        children.setdefault(row["parent_member"] or "", []).append(row)
    return tuple(_backbone(row, children.get(row["member"], [])) for row in rows if row["stage"] == PRETRAINING)


def _backbone(row: Row, children: Sequence[Row]) -> Backbone:
    known = [child["test_acc"] for child in children if child["status"] == "finished" and is_accuracy(child)]
    return Backbone(row, len(children), statistics.fmean(known) if known else None)


def _distinct(rows: Sequence[Row], stage: str, column: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(row[column]) for row in rows if row["stage"] == stage and row.get(column)))


def _judged(rows: Sequence[Row], stage: str) -> list[Row]:
    return [row for row in rows if row["stage"] == stage and row["status"] == "finished" and is_accuracy(row)]


def _example(rows: Sequence[Row], stage: str) -> Row | None:
    """Choose the most accurate member with a linear head, which stock timm opens, else the first member there is."""
    linear = [row for row in _judged(rows, stage) if row.get("head") == "linear"]
    if linear:
        return max(linear, key=lambda row: row["test_acc"])
    return rows[0] if rows else None

"""Which checkpoints are merged, whether a method can merge them, and what it may look at."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Dataset
from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures import inference
from vitzoo.measures.inference import Places, read_row, recipe_of
from vitzoo.measures.scoring import Ground
from vitzoo.measures.selection import ALL, LAST, LeftOut, select
from vitzoo.merging import held_out
from vitzoo.merging.methods import METHODS, Ingredients, Method
from vitzoo.model.layout import Layout
from vitzoo.zoo import Checkpoint, Member, Zoo
from vitzoo.zoo.layout import FINETUNING, GROWN
from vitzoo.zoo.merge import origins

ACROSS = "`vitzoo merge across` aligns models of different trees first"
SHOWN = 4  # names in an error
_EPOCH, _STAGE = re.compile(r"\bepoch\b"), re.compile(r"\bstage\b")


@dataclass(frozen=True)
class Choice:
    """Checkpoints to be merged, and members that were left out of the choice."""

    checkpoints: list[Checkpoint]
    left_out: list[LeftOut]


def choose(zoo: Zoo, method: str, members: Sequence[str] = (), where: str | None = None) -> Choice:
    """Find what is to be merged: named members, or fine-tuned ones that fit a condition over the catalogue's columns.

    A condition that speaks of ``stage`` may choose pre-trained members, too.

    A method that averages a trajectory gets the epochs after training began of one member. Others get last checkpoints,
    or that of an epoch: ``name@3``, or a condition on ``epoch``. InputError if nothing or too much fits.
    """
    if bool(members) == (where is not None):
        raise InputError(
            "Say what is to be merged: members by name, or a condition that they fit, such as \"optimizer = 'adamw'\"."
        )
    along = METHODS[method].trajectory
    chosen = _named(zoo, members, along) if where is None else _fitting(zoo, where, along)
    names = list(dict.fromkeys(one.member.name for one in chosen.checkpoints))
    if along and len(names) != 1:
        raise InputError(
            f"{method!r} averages the epochs of one member, but {len(names)} were chosen: {_listed(names)}. "
            f"Name one, or use 'uniform', 'greedy' or 'learned', which merge members."
        )
    keys = [(one.member.name, one.epoch) for one in chosen.checkpoints]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise InputError(f"{twice[0]}, epoch {twice[1]}, was named twice. Name every checkpoint once.")
    return chosen


def _named(zoo: Zoo, members: Sequence[str], along: bool) -> Choice:
    if along:
        found = [zoo.member(name) for name in members]
        return Choice([one for member in found for one in member.checkpoints() if one.epoch > 0], [])
    return Choice([_at(zoo, name) for name in members], [])


def _at(zoo: Zoo, text: str) -> Checkpoint:
    name, _, epoch = text.partition("@")
    if epoch and not epoch.isdecimal():
        raise InputError(f"{text!r} names no checkpoint; write a member and an epoch, such as {name}@3.")
    return zoo.checkpoint(name, int(epoch) if epoch else None)


def _fitting(zoo: Zoo, where: str, along: bool) -> Choice:
    every = along or _EPOCH.search(where) is not None
    if _STAGE.search(where) is None:
        where = f"stage = '{FINETUNING}' AND ({where})"
    selection = select(zoo, ALL if every else LAST, where, GROWN)
    rows = [row for row in selection.rows if row["epoch"] > 0 or not along]
    if not rows:
        raise InputError(f"{zoo.place} has no finished member where {where}. `vitzoo ls --where` shows what fits.")
    return Choice([selection.checkpoint(row) for row in rows], selection.left_out)


@dataclass(frozen=True, eq=False)
class Gathered:
    """Models that can be merged, in memory, with their checkpoints, and that of their parent if it is needed."""

    ingredients: Ingredients
    checkpoints: list[Checkpoint]
    parent: Checkpoint | None
    notes: list[str]


def gather(
    method: str,
    checkpoints: Sequence[Checkpoint],
    places: Places,
    device: str = "cpu",
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Gathered:
    """Read models, if the method can merge them; InputError says why not, and which method would do.

    IntegrityError if weights are damaged or not finite.
    """
    how = METHODS[method]
    recipes = [recipe_of(one.member) for one in checkpoints]
    _check_number(method, how, checkpoints)
    check_alike(checkpoints, recipes)
    parent = _common_parent(method, checkpoints) if how.parent else None
    layout = Layout.of(recipes[0].architecture)
    models = torch.stack([_read(one, layout) for one in checkpoints])
    notes = _notes(checkpoints)

    def choose_by(count: int) -> Ground:
        found = held_out.held_out(recipes[0], _trained_on(checkpoints), places, count, device)
        notes.append(found.note)
        return found.ground

    def trained_on(count: int) -> Ground:
        return held_out.training(recipes[0], places, count, device)

    found = Ingredients(
        recipes[0],
        models,
        tuple(one.epoch for one in checkpoints),
        None if parent is None else _parent_row(parent, layout, models),
        choose_by,
        trained_on,
        tell,
    )
    return Gathered(found, list(checkpoints), parent, notes)


def _notes(checkpoints: Sequence[Checkpoint]) -> list[str]:
    """Say what a reader should know of models that can be merged, but perhaps should not be."""
    members = {one.member.name: one.member for one in checkpoints}.values()
    notes = [f"{member.name} is {member.status}, not finished." for member in members if member.status != "finished"]
    trees = [member.name for member in _ancestry(checkpoints) if not _above(member)]
    if len(trees) > 1:
        notes.append(f"The models are of {len(trees)} trees, and averages across trees rarely work; {ACROSS}.")
    return notes


def check_alike(checkpoints: Sequence[Checkpoint], recipes: Sequence[Recipe]) -> None:
    """Refuse models that cannot be merged, or not be judged together: InputError says in what they differ."""
    contrastive = [
        one.member.name
        for one, recipe in zip(checkpoints, recipes, strict=True)
        if recipe.hyperparameters.task != "supervised"
    ]
    if contrastive:
        raise InputError(
            f"A merged model is judged by the classes of images, and {_listed(contrastive)} has none, because its task "
            "is contrastive. Merge members that were fine-tuned from it."
        )
    found = [_flat(_essence(recipe)) for recipe in recipes]
    different = [name for name in found[0] if any(other[name] != found[0][name] for other in found)]
    if different:
        levels = "; ".join(
            f"{name} is {' or '.join(dict.fromkeys(str(each[name]) for each in found))}" for name in different
        )
        raise InputError(
            f"These {len(found)} models cannot be merged, because they differ: {levels}. Weights are averaged one "
            "by one, so choose models of one architecture, head and data set, as in --where \"head = 'linear'\"."
        )


def _essence(recipe: Recipe) -> dict[str, Any]:
    """Return what models must have in common: the shape of all tensors, and how test images are prepared."""
    found = inference.evaluation(recipe)
    del found["dataset"]["train_limit"]
    return found


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in value.items():
        nested = isinstance(item, dict)
        found |= _flat(item, f"{prefix}{name}.") if nested else {f"{prefix}{name}": item}
    return found


def _check_number(method: str, how: Method, checkpoints: Sequence[Checkpoint]) -> None:
    if len(checkpoints) < how.least:
        name = checkpoints[0].member.name if checkpoints else "nothing"
        advice = (
            "Choose a member with more epochs after training began."
            if how.trajectory
            else "Choose more; or use 'last', 'trailing' or 'ema', which average the epochs of one member, or "
            "'interpolate', which goes from its parent to it."
        )
        raise InputError(f"{method!r} merges at least {how.least} models, but one was chosen: {name}. {advice}")


def _common_parent(method: str, checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """Return the checkpoint that all were fine-tuned from; InputError if there is none."""
    edges = {one.member.name: _edge(one.member) for one in checkpoints}
    none = [name for name, edge in edges.items() if edge is None]
    others = [name for name, one in METHODS.items() if not one.parent and not one.trajectory]
    advice = f"Without one do {', '.join(map(repr, others))}; {ACROSS}."
    if none:
        raise InputError(
            f"{method!r} needs models that were fine-tuned from one checkpoint, which {_listed(none)} was not. {advice}"
        )
    found = {(edge["member"], edge["epoch"], edge["sha256"]) for edge in edges.values() if edge is not None}
    if len(found) > 1:
        raise InputError(
            f"{method!r} needs models that were fine-tuned from one checkpoint, but these descend from {len(found)}: "
            f"{_listed([f'{name}, epoch {epoch}' for name, epoch, _ in sorted(found)], '; ')}. {advice}"
        )
    ((name, epoch, sha256),) = found
    parent = checkpoints[0].member.zoo.checkpoint(name, epoch)
    if parent.sha256 != sha256:
        raise IntegrityError(f"{parent.path} has other weights than the models were fine-tuned from.")
    return parent


def _edge(member: Member) -> dict[str, Any] | None:
    first = next(iter(member.checkpoints()), None)
    return first.manifest["parent"] if first is not None and member.stage == FINETUNING else None


def _parent_row(parent: Checkpoint, layout: Layout, models: Tensor) -> Tensor:
    """Return the parent's backbone with the mean of the models' heads, as one row."""
    parent.check()
    own = {name: tensor for name, tensor in parent.state_dict().items() if not name.startswith("head.")}
    mean = layout.views(models.mean(dim=0, dtype=torch.float64).float())
    try:
        row = layout.pack({name: tensor.float() for name, tensor in ({**mean, **own}).items()})
    except ValueError as error:
        raise IntegrityError(f"{parent.path} does not fit the models that came from it: {error}.") from None
    if not row.isfinite().all():
        raise IntegrityError(f"{parent.path} holds values that are not finite.")
    return row


def _read(checkpoint: Checkpoint, layout: Layout) -> Tensor:
    try:
        return read_row(checkpoint, layout)
    except IntegrityError as error:
        raise IntegrityError(f"{error} It cannot be merged; choose models without it.") from None


def _above(member: Member) -> list[Member]:
    """List the members a member directly comes from."""
    if member.merge is not None:
        return [member.zoo.member(edge["member"]) for edge in origins(member.merge)]
    return [member.parent] if member.parent is not None else []


def _ancestry(checkpoints: Sequence[Checkpoint]) -> list[Member]:
    """List the members of checkpoints and all they come from, each once."""
    found: dict[str, Member] = {}
    waiting = [one.member for one in checkpoints]
    while waiting:
        member = waiting.pop()
        if member.name not in found:
            found[member.name] = member
            waiting += _above(member)
    return list(found.values())


def _trained_on(checkpoints: Sequence[Checkpoint]) -> list[Dataset]:
    return [recipe_of(member).dataset for member in _ancestry(checkpoints)]


def _listed(names: Sequence[str], comma: str = ", ") -> str:
    return comma.join(islice(names, SHOWN)) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")

"""What both kinds of dataset share: which checkpoints, what is read of them and in what form, and their targets."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures.selection import LAST, Epochs, LeftOut, Row, select
from vitzoo.model.layout import Layout
from vitzoo.model.shapes import Shapes
from vitzoo.torch.targets import Targets, make
from vitzoo.torch.tokens import TokenLayout
from vitzoo.torch.transforms import About, Params, Transform
from vitzoo.zoo import Checkpoint, Member, Zoo
from vitzoo.zoo.layout import WEIGHTS

FORMS = ("flat", "tokens", "layers", "model")
PARTS = ("model", "backbone", "head")
HEAD = "head."


class Source:
    """Checkpoints of a zoo in one form, with targets. Made as ``Checkpoints`` or ``Stream``.

    Args:
        zoo: from ``vitzoo.open``, or the directory or address.
        where: a boolean SQL expression over the catalogue's columns; all finished members by default.
        epochs: "last", "all" or whole numbers, as for ``select``.
        form: what x is. "flat": float32 [P]. "tokens": a dict, ``tokens`` float32 [N, width], ``mask`` bool [N, width],
            ``positions`` int64 [N, 3]. "layers": a dict of tensors under timm's names. "model": a timm model.
        part: "model", "backbone" or "head": only these tensors are read.
        targets: columns of the catalogue; one name makes y a tensor, several a dict of tensors.
        categories: more of them, whose numbers are to be codes.
        missing: what a missing number becomes, "error" or "nan".
        transform: one or several of ``vitzoo.torch.transforms``, applied in this order to the whole model.
        width: numbers in a token, by default those of the longest row. Given, shapes may differ.

    Raises:
        InputError: nothing fits, a column cannot be a target, or shapes differ where x must have one.
    """

    def __init__(
        self,
        zoo: Zoo | str | Path,
        where: str | None = None,
        *,
        epochs: Epochs = LAST,
        form: str = "flat",
        part: str = "model",
        targets: str | Sequence[str] = (),
        categories: Sequence[str] = (),
        missing: str = "error",
        transform: Transform | Sequence[Transform] | None = None,
        width: int | None = None,
    ) -> None:
        opened = zoo if isinstance(zoo, Zoo) else Zoo.open(zoo)
        _check(form, part, width)
        chosen = select(opened, epochs, where)
        if not chosen.rows:
            raise InputError(f"{opened.place} has no finished member that fits {where!r}. `vitzoo ls` lists them.")
        self.zoo, self.form, self.part, self.width = opened, form, part, width
        self.rows: list[Row] = chosen.rows
        self.left_out: list[LeftOut] = chosen.left_out
        self.transforms = () if transform is None else (transform,) if callable(transform) else tuple(transform)
        self._single = isinstance(targets, str) and not categories
        names = (targets,) if isinstance(targets, str) else targets
        self._targets = make(self.rows, names, categories, missing)
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # workers that persist see it, too
        self._layouts, self._layout_of = self._lay_out()

    @property
    def levels(self) -> dict[str, list[Any]]:
        """What the codes of categorical targets mean: ``levels[name][code]``; the same in all parts of a split."""
        return self._targets.levels

    @property
    def epoch(self) -> int:
        """The loader's epoch, which transforms and shuffling depend on."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Say which pass over the data comes next, before the loader is asked for it; workers hear of it, too."""
        self._epoch.fill_(epoch)

    def layout(self, index: int = 0) -> Layout | TokenLayout:
        """Return how a checkpoint's tensors lie in x: a ``TokenLayout`` of tokens, else a ``Layout``."""
        return self._layouts[self._layout_of[self.rows[index]["member"]]]

    def subset(self, indices: Sequence[int], left_out: Sequence[LeftOut] = ()) -> Self:
        """Return the same dataset with these checkpoints only."""
        found = copy.copy(self)
        found.rows = [self.rows[index] for index in indices]
        values = {name: tensor[list(indices)] for name, tensor in self._targets.values.items()}
        found._targets = Targets(values, self.levels)
        found.left_out = [*self.left_out, *left_out]
        found._epoch = self._epoch.clone().share_memory_()
        return found

    def read(self, index: int) -> tuple[Any, Any]:
        """Return x and y of a checkpoint. IntegrityError if its file is damaged or does not fit the member's others."""
        y = {name: tensor[index] for name, tensor in self._targets.values.items()}
        return self._x(index), next(iter(y.values())) if self._single else y

    def _x(self, index: int) -> Any:
        row = self.rows[index]
        checkpoint, layout = self._checkpoint(row), self.layout(index)
        names = None if self.transforms or self.form == "model" else list(layout.shapes)
        found: Params = {name: torch.from_numpy(array).float() for name, array in checkpoint.tensors(names).items()}
        self._check_shapes(found, layout.shapes, checkpoint)
        for transform in self.transforms:
            found = transform(found, self._about(row))
        if self.form == "model":
            return _model(checkpoint, found)
        kept = {name: found[name] for name in layout.shapes}
        return kept if self.form == "layers" else layout.pack(kept)

    def _about(self, row: Row) -> About:
        if row.get("heads") is None:
            raise InputError(f"The number of heads of {row['member']} is not known, which transforms need.")
        return About(row["heads"], row["sha256"], self.epoch)

    def _checkpoint(self, row: Row) -> Checkpoint:
        # The place follows from checked names rather than from the catalogue's path, which anyone may have written.
        place = self.zoo.member_path(row["member"], row["parent_member"], row["stage"])
        return Checkpoint(Member(self.zoo, place), row["epoch"])

    def _check_shapes(self, found: Params, shapes: Shapes, checkpoint: Checkpoint) -> None:
        for name, shape in shapes.items():
            if name not in found or tuple(found[name].shape) != shape:
                raise IntegrityError(
                    f"{checkpoint.place}/{WEIGHTS}, tensor {name!r}: it has another shape than in other checkpoints of "
                    f"the member, {list(shape)}. Run `vitzoo verify --deep`."
                )

    def _lay_out(self) -> tuple[list[Layout | TokenLayout], dict[str, int]]:
        """Return the layouts there are, and which one each member has; one checkpoint of each is looked at."""
        firsts: dict[str, Row] = {}
        for row in self.rows:
            firsts.setdefault(row["member"], row)
        self.zoo.files.ahead((self._checkpoint(row).header for row in firsts.values()), "Reading headers")
        shapes = {member: self._shapes(row) for member, row in firsts.items()}
        if self.form == "flat" or (self.form == "tokens" and self.width is None):
            _check_alike(shapes, self.form)
        found: list[Shapes] = []
        layout_of = {}
        for member, each in shapes.items():
            if each not in found:
                found.append(each)
            layout_of[member] = found.index(each)
        return [TokenLayout(s, self.width or 0) if self.form == "tokens" else Layout(s) for s in found], layout_of

    def _shapes(self, row: Row) -> Shapes:
        slots = self._checkpoint(row).header()
        shapes = {name: slot.shape for name, slot in slots.items() if _in_part(name, self.part)}
        if not shapes:
            raise InputError(f"{row['member']} has no {self.part}: its tensors are {', '.join(list(slots)[:4])}, ….")
        return shapes


def _check(form: str, part: str, width: int | None) -> None:
    if form not in FORMS:
        raise InputError(f"{form!r} is no form of a checkpoint; use {', '.join(FORMS)}.")
    if part not in PARTS:
        raise InputError(f"{part!r} is no part of a model; use {', '.join(PARTS)}.")
    if form == "model" and part != "model":
        raise InputError(f"A timm model is whole. Take part='model', or the {part} in another form.")
    if width is not None and (form != "tokens" or width < 1):
        raise InputError("A width is the positive number of numbers in a token, and only tokens have one.")


def _in_part(name: str, part: str) -> bool:
    return part == "model" or name.startswith(HEAD) == (part == "head")


def _check_alike(shapes: dict[str, Shapes], form: str) -> None:
    """InputError names the first tensor that two members do not have alike."""
    first, *others = shapes
    for other in others:
        a, b = shapes[first], shapes[other]
        for name in {**a, **b}:
            if a.get(name) != b.get(name):
                raise InputError(
                    f"These checkpoints differ in shape: {name!r} is {_said(a.get(name))} in {first} and "
                    f"{_said(b.get(name))} in {other}. Narrow the condition, take part='backbone'"
                    + (", or give tokens a width and batch them by vitzoo.torch.pad." if form == "tokens" else ".")
                )


def _said(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else str(list(shape))


def _model(checkpoint: Checkpoint, params: Params) -> Any:
    """Build the timm model. InputError if the member's config describes none that vitzoo grows."""
    from vitzoo.model import timm_names  # only here: timm takes seconds to import

    return timm_names.create(checkpoint.member.config, dict[str, Tensor](params), checkpoint.member.place)

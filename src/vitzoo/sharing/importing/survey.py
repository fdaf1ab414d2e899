"""What a reader of a layout finds in a folder, before anything is written: members, and what has no place.

A reader lists names and reads configs, tables and curves. It never opens weights.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitzoo.sharing.importing.restore import Head, Travelled


@dataclass(frozen=True)
class File:
    """A file of weights: where it is and how many bytes it has."""

    path: Path
    size: int


@dataclass
class Found:
    """One model and its trajectory, as its layout tells of it.

    ``key`` is its place in the folder, unique there; ``name`` what it is called there, which may not be unique.
    ``recipe`` has the factors that took effect, as far as they are known, in the groups of a recipe (``dataset``,
    ``augmentation``, ``hyperparameters``; ``architecture`` only for what shapes of weights do not tell, such as heads).
    ``declared`` is what the source says, word for word. ``metrics`` and ``checkpoints`` are by epoch, numbers as a zoo
    has them (accuracies in [0, 1]). ``parent`` is the key of the member it was fine-tuned from, ``parent_hint`` what
    the source calls it if that is all there is. ``rivals`` are other members that the source names as its parent, too:
    the weights decide. ``epochs_certain`` is false if numbers of checkpoints may be off by one, which they decide, too.
    ``travelled`` is what an export of ours wrote, with which the member comes back as it was.
    """

    key: str
    name: str
    stage: str
    checkpoints: dict[int, File]
    recipe: dict[str, Any] = field(default_factory=dict)
    declared: dict[str, Any] = field(default_factory=dict)
    metrics: dict[int, dict[str, Any]] = field(default_factory=dict)
    parent: str | None = None
    parent_hint: str | None = None
    parent_epoch: int | None = None
    rivals: tuple[str, ...] = ()
    travelled: Travelled | None = None
    epochs_certain: bool = True
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Unplaced:
    """Something in the folder that is no part of any member: its place there, why, and whether it is a model."""

    key: str
    reason: str
    model: bool = False

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


@dataclass
class Survey:
    """All that was found under a folder, by the reader of which layout; ``head`` travelled with an export of ours."""

    layout: str
    root: Path
    head: Head | None = None
    members: list[Found] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)

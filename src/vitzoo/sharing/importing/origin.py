"""Which checkpoint a fine-tuned member came from: what its source says, held against its weights.

A fine-tuned model lies nearer to its parent than to any other backbone (paper, Section 4; on nano 240 of 240 times),
and before training it *is* its parent, bit for bit. So the weights find the parent's epoch, end doubts about numbering,
and contradict a record that is wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vitzoo.zoo import Checkpoint, Member

CLEAR = 0.7  # of the distance from the next backbone: nearer than that counts as found where nothing is recorded
TELLING = "blocks.0.norm1.weight"  # small, and different after every epoch of training


@dataclass
class Origin:
    """The checkpoint a member came from, whether it equals it bit for bit, and what is to be said about it."""

    checkpoint: Checkpoint | None = None
    equal: bool = False
    notes: list[str] = field(default_factory=list)
    contradicted: bool = False


def sample(names: Iterable[str], depth: int) -> list[str]:
    """Name the tensors that distances are taken over: three matrices, from the first, middle and last block."""
    wanted = (
        "blocks.0.attn.qkv.weight",
        f"blocks.{depth // 2}.mlp.fc1.weight",
        f"blocks.{depth - 1}.attn.proj.weight",
        TELLING,
    )
    have = set(names)
    return [name for name in dict.fromkeys(wanted) if name in have]


def find(
    weights: Mapping[str, np.ndarray], named: Sequence[Member], epoch: int | None, backbones: Sequence[Member]
) -> Origin:
    """Find the origin of a member's first checkpoint.

    ``weights`` are its sampled tensors; ``named`` what its source names as its parent, best first, and ``epoch`` the
    parent's epoch if it says so; ``backbones`` all members it might come from, which have a checkpoint each.
    """
    for member in named:
        if same := _equal(weights, member, epoch):
            return Origin(same, equal=True)
    fitting = [member for member in backbones if _fits(weights, member)]
    if not fitting:
        return Origin(notes=["no backbone here has its shape"])
    ends = {member.name: _end(member, epoch if member in named[:1] else None) for member in fitting}
    distances = {name: _distance(weights, checkpoint) for name, checkpoint in ends.items()}
    nearest, *others = sorted(distances, key=lambda name: distances[name])
    recorded = [member.name for member in named if member.name in distances]
    if not recorded:
        return _by_weights(nearest, others, distances, ends, weights)
    if nearest in recorded:
        return Origin(ends[nearest])
    note = f"its weights are nearer to {nearest} ({distances[nearest]:.3g}) than to its recorded parent {recorded[0]} "
    return Origin(ends[recorded[0]], notes=[note + f"({distances[recorded[0]]:.3g})"], contradicted=True)


def _by_weights(
    nearest: str,
    others: Sequence[str],
    distances: Mapping[str, float],
    ends: Mapping[str, Checkpoint],
    weights: Mapping[str, np.ndarray],
) -> Origin:
    """Take the nearest backbone for the parent if it is clearly the nearest."""
    if others and distances[nearest] < CLEAR * distances[others[0]]:
        note = f"its parent is not recorded; by its weights it is {nearest} ({distances[nearest]:.3g}, the next "
        same = _equal(weights, ends[nearest].member, None)
        return Origin(same or ends[nearest], same is not None, [f"{note}{distances[others[0]]:.3g})"])
    return Origin(notes=["its parent is not recorded, and its weights do not tell"])


def _equal(weights: Mapping[str, np.ndarray], member: Member, epoch: int | None) -> Checkpoint | None:
    """Return the checkpoint with these very weights, if the member has one; the named epoch first, then the last."""
    if not _fits(weights, member):
        return None
    epochs = member.epochs()
    order = [e for e in (epoch, *reversed(epochs)) if e in epochs]
    for candidate in map(member.checkpoint, dict.fromkeys(order)):
        telling = candidate.tensors([TELLING])[TELLING] if TELLING in weights else None
        if telling is not None and np.array_equal(telling, weights[TELLING]) and _distance(weights, candidate) == 0:
            return candidate
    return None


def _fits(weights: Mapping[str, np.ndarray], member: Member) -> bool:
    slots = member.checkpoint().header()
    return all(name in slots and slots[name].shape == array.shape for name, array in weights.items())


def _end(member: Member, epoch: int | None) -> Checkpoint:
    return member.checkpoint(epoch if epoch in member.epochs() else None)


def _distance(weights: Mapping[str, np.ndarray], checkpoint: Checkpoint) -> float:
    """L2 over the sampled tensors."""
    other: Mapping[str, Any] = checkpoint.tensors(list(weights))
    squares = (float(np.square(weights[name].astype("f8") - other[name]).sum()) for name in weights)
    return float(np.sqrt(sum(squares)))

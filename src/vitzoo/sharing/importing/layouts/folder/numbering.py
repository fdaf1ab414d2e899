"""Several checkpoints of one model: folders or files named by a number, and which epoch a number means.

Only whole names count: ``epoch_3``, ``checkpoint-500``, ``step=1000.pt``. A name that has a number at its end, such as
``lr0.1_ep50.pt``, is a model's own: there the number is a factor as often as it is an epoch.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LABEL = re.compile(
    r"(checkpoint|ckpt|epoch|ep|step|global_?step|iter|iteration)([-_=]?)([0-9]{1,9})", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, order=True)
class Label:
    """The number in the name of a checkpoint, and whether it counts epochs."""

    number: int
    is_epoch: bool


@dataclass(frozen=True)
class Numbered:
    """The epochs of checkpoints, in their order, and why they are these."""

    epochs: list[int]
    because: str | None = None


def label_of(name: str) -> Label | None:
    """Return the label in a name, ``None`` for any other name.

    ``checkpoint_3`` is an epoch, as Ray and a zoo write it; ``checkpoint-500`` is a step, as Hugging Face writes it.

    >>> label_of("epoch_07"), label_of("checkpoint-500"), label_of("run_ep50")
    (Label(number=7, is_epoch=True), Label(number=500, is_epoch=False), None)
    """
    match = _LABEL.fullmatch(name)
    if match is None:
        return None
    word, mark, number = match[1].lower(), match[2], int(match[3])
    return Label(number, word in ("epoch", "ep") or (word in ("checkpoint", "ckpt") and mark != "-"))


def epochs(labels: Sequence[Label], last: int | None, told: Mapping[int, int]) -> Numbered:
    """Number checkpoints by epoch; ``labels`` rise and are all epochs or all steps.

    ``last`` is how many epochs the source says the training had; ``told`` has epochs of steps that the source tells.

    >>> steps = [Label(500, False), Label(1000, False)]
    >>> epochs(steps, 4, {}).epochs, epochs(steps, 3, {}).epochs, epochs(steps, None, {500: 10, 1000: 20}).epochs
    ([2, 4], [1, 3], [10, 20])
    """
    numbers = [label.number for label in labels]
    if labels[0].is_epoch:
        return Numbered(numbers)
    if set(numbers) <= set(told) and _rising([told[number] for number in numbers]):
        return Numbered([told[number] for number in numbers], "its epochs are those that trainer_state.json gives")
    if last and numbers[-1] and all(number * last % numbers[-1] == 0 for number in numbers):
        because = f"its {last} epochs are spread evenly over {numbers[-1]:,} steps"
        return Numbered([number * last // numbers[-1] for number in numbers], because)
    positions = [position + (numbers[0] != 0) for position in range(len(numbers))]  # step 0 is before training
    if last and last >= positions[-1] > 0:
        because = f"its checkpoints are numbered by their order, the last as epoch {last}: their names count steps"
        return Numbered([*positions[:-1], last], because)
    return Numbered(positions, "its epochs are the order of its checkpoints: their names count steps")


def _rising(numbers: list[int]) -> bool:
    return all(first < second for first, second in itertools.pairwise(numbers))

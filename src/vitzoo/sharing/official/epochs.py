"""Which epoch a checkpoint's number means, and a line of a curve: the two are not the same thing everywhere.

The released code evaluates before it trains and writes that as checkpoint 0, so its numbers are epochs. Ray's class
trainables count from 1, and later Ray numbers checkpoints from 0 whatever the iteration: then number 49 is epoch 50.
What tells them apart: a first line whose training metrics copy the test metrics, the least iteration, and which numbers
have lines. Where that leaves a doubt, the weights of a fine-tuned member may end it (its epoch 0 is its parent).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from vitzoo.sharing.official.curves import Line


@dataclass(frozen=True)
class Numbering:
    """What is added to an iteration and to a checkpoint's number to have the epoch; whether that is beyond doubt."""

    of_iteration: int
    of_number: int
    certain: bool
    because: str


def numbering(lines: dict[int, Line], numbers: Iterable[int]) -> Numbering:
    """Find the epochs of iterations and of numbers of checkpoints.

    >>> evaluated = {"train_loss": 4.6, "test_loss": 4.6, "train_acc": 0.01, "test_acc": 0.01}
    >>> trained = {"train_loss": 4.0, "test_loss": 4.2, "train_acc": 0.1, "test_acc": 0.09}
    >>> numbering({0: evaluated, 1: trained}, [0, 1])
    Numbering(of_iteration=0, of_number=0, certain=True, because='its first line is from before training')
    >>> numbering({1: trained, 2: trained}, [0, 1]).of_number
    1
    """
    wanted = set(numbers)
    if not lines:
        return Numbering(0, 0, False, "without a curve, numbers of checkpoints are taken for epochs")
    first = min(lines)
    if _before_training(lines[first]):
        of_iteration, because = -first, "its first line is from before training"
    elif first == 0:
        of_iteration, because = 1, "its iterations begin at 0 and the first has trained"
    else:
        of_iteration, because = 0, "its iterations count epochs from 1"
    same, next_one = wanted <= set(lines), {number + 1 for number in wanted} <= set(lines)
    shift = 1 if next_one and not same else 0
    if shift:
        because += ", and checkpoints are numbered one below their iteration"
    return Numbering(of_iteration, of_iteration + shift, same != next_one, because)


def _before_training(line: Line) -> bool:
    """Say whether a line's training metrics are copies of the test metrics, as only an untrained epoch has them."""
    pairs = [(line.get(f"train_{name}"), line.get(f"test_{name}")) for name in ("loss", "acc")]
    return all(train is not None and train == test for train, test in pairs)

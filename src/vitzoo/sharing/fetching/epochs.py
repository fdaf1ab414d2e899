"""Which checkpoints of a member: by the numbers in their folders' names, never by their places in a list. Pure."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from vitzoo.errors import InputError

_LAST = re.compile(r"last(?::([0-9]{1,9}))?", re.ASCII)
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", re.ASCII)


@dataclass(frozen=True)
class Epochs:
    """The ``last`` numbers that a member has, or those in ``ranges`` (both ends included)."""

    last: int | None = None
    ranges: tuple[tuple[int, int], ...] = ()

    def of(self, numbers: Collection[int]) -> list[int]:
        """Choose among a member's numbers.

        >>> parse("last:2").of([9, 49, 10]), parse("0-9,49").of([9, 49, 10]), parse("all").of([1, 0])
        ([10, 49], [9, 49], [0, 1])
        """
        if self.last is not None:
            return sorted(set(numbers))[-self.last :]
        return sorted({n for n in numbers if any(first <= n <= last for first, last in self.ranges)})

    def lacking(self, numbers: Collection[int]) -> bool:
        """Say whether numbers were asked for that a member does not have; ``all`` asks for none in particular.

        >>> parse("0-9").lacking(range(8)), parse("all").lacking([3]), parse("last:5").lacking([3])
        (True, False, True)
        """
        if self.last is not None:
            return len(set(numbers)) < self.last
        return self != ALL and len(self.of(numbers)) < sum(last - first + 1 for first, last in _merged(self.ranges))


ALL = Epochs(ranges=((0, 999_999_999),))


def parse(text: str) -> Epochs:
    """Read ``last``, ``last:5``, ``all`` or numbers and ranges such as ``0-9,49``; InputError otherwise."""
    if text == "all":
        return ALL
    if match := _LAST.fullmatch(text):
        if (number := int(match[1] or 1)) < 1:
            raise InputError("--epochs last:0 asks for nothing; write last, last:5, all, or numbers such as 0-9,49.")
        return Epochs(last=number)
    ranges = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None or (match[2] is not None and int(match[2]) < int(match[1])):
            raise InputError(
                f"{part.strip()[:80]!r} names no epochs; write last, last:5, all, or numbers and ranges such as 0-9,49."
            )
        ranges.append((int(match[1]), int(match[2] or match[1])))
    return Epochs(ranges=tuple(ranges))


def _merged(ranges: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """The same numbers as ranges that do not overlap."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged

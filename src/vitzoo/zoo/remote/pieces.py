"""Stretches of a remote file that are on this machine: a file each, named by the first byte and the one behind."""

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vitzoo.zoo.remote import mirror
from vitzoo.zoo.safetensors_header import DTYPES, Slot, decode

if TYPE_CHECKING:
    import numpy as np

Span = tuple[int, int]  # first byte, and the one behind the last
GAP = 64 << 10  # bytes that are fetched for nothing rather than asking twice
_NAME = re.compile(r"([0-9]{1,15})-([0-9]{1,15})", re.ASCII)


def lacking(wanted: Iterable[Span], known: Sequence[Span]) -> list[Span]:
    """Return what must be fetched so that every wanted span lies in one stretch; neighbours are fetched as one.

    >>> lacking([(0, 10), (10, 20), (500_000, 500_010), (30, 40)], known=[(0, 15)])
    [(10, 40), (500000, 500010)]
    """
    found: list[Span] = []
    for begin, end in sorted(wanted):
        if begin == end or any(first <= begin and end <= last for first, last in known):
            continue
        if found and begin - found[-1][1] <= GAP:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


class Pieces:
    """The stretches of one file, in a directory of their own. Several processes may add to them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def known(self) -> list[Span]:
        """List the stretches that are there, whole."""
        if not self._directory.is_dir():
            return []
        spans = {path: _span(path.name) for path in self._directory.iterdir()}
        return [span for path, span in spans.items() if span and path.stat().st_size == span[1] - span[0]]

    def add(self, begin: int, end: int, chunks: Iterable[bytes]) -> None:
        """Keep a stretch; nothing is kept if ``chunks`` raises."""
        mirror.store(self._path((begin, end)), chunks)

    def start(self) -> bytes:
        """Return the longest stretch that begins with the file's first byte, ``b""`` if there is none."""
        ends = [end for begin, end in self.known() if begin == 0]
        return self._path((0, max(ends))).read_bytes() if ends else b""

    def read(self, slots: dict[str, Slot], where: object) -> "dict[str, np.ndarray]":
        """Return tensors whose bytes are there; ``where`` names the file in errors."""
        known = self.known()
        return {name: self._tensor(name, slot, known, where) for name, slot in slots.items()}

    def _tensor(self, name: str, slot: Slot, known: Sequence[Span], where: object) -> "np.ndarray":
        import numpy as np

        kind, count = DTYPES[slot.dtype][0], math.prod(slot.shape)
        if not count:
            return np.empty(slot.shape, kind)
        span = next((begin, end) for begin, end in known if begin <= slot.begin and slot.end <= end)
        array = np.fromfile(self._path(span), kind, count, offset=slot.begin - span[0])
        return decode(slot, array.reshape(slot.shape), where, name)

    def _path(self, span: Span) -> Path:
        return self._directory / f"{span[0]}-{span[1]}"


def _span(name: str) -> Span | None:
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None

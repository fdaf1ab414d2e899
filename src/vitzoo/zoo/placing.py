"""Where the tensors of a file go in memory: side by side as they lie in the file, so that one call reads many.

To read a tensor at a time into memory of its own costs several times as much as to read the file: a page fault for
every four kilobytes, while a large piece of memory comes in large pages.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from vitzoo.zoo.safetensors_header import DTYPES, Slot

if TYPE_CHECKING:
    import numpy as np

Arrays = dict[str, "np.ndarray"]
ALIGNED = 64  # bytes; what processors and libraries like, and a multiple of every element


class Run(NamedTuple):
    """Bytes of a file, from ``begin`` to ``end``, and where in memory they go."""

    begin: int
    end: int
    at: int


class Place(NamedTuple):
    """Where in memory a tensor lies as NumPy has it in the file."""

    name: str
    shape: tuple[int, ...]
    dtype: "np.dtype"
    at: int


class Plan(NamedTuple):
    """What to read of a file, what is where then, and how many bytes that takes.

    ``odd`` are the tensors that are not yet arrays as they lie there, by name.
    """

    runs: list[Run]
    places: list[Place]
    size: int
    odd: dict[str, Slot]


def plan(slots: Mapping[str, Slot]) -> Plan:
    """Place tensors; those that touch in the file touch in memory.

    >>> plan({"b": Slot("F32", (2,), 108, 116), "a": Slot("U8", (3,), 116, 119), "c": Slot("U8", (1,), 130, 131)}).runs
    [Run(begin=108, end=119, at=44), Run(begin=130, end=131, at=66)]
    """
    import numpy as np

    runs: list[Run] = []
    at: dict[str, int] = {}
    for name, slot in sorted(slots.items(), key=lambda item: (item[1].begin, item[1].end)):
        last = runs[-1] if runs else Run(0, 0, 0)
        if runs and slot.begin <= last.end:
            runs[-1] = last._replace(end=max(last.end, slot.end))
        else:
            # As far from a multiple of 64 as in the file, where tensors are aligned.
            end = last.at + last.end - last.begin
            runs.append(Run(slot.begin, slot.end, end + (slot.begin - end) % ALIGNED))
        at[name] = runs[-1].at + slot.begin - runs[-1].begin
    places = [Place(name, slot.shape, np.dtype(DTYPES[slot.dtype][0]), at[name]) for name, slot in slots.items()]
    odd = {name: slot for name, slot in slots.items() if slot.dtype in ("BF16", "BOOL") or at[name] % slot.width}
    return Plan(runs, places, runs[-1].at + runs[-1].end - runs[-1].begin if runs else 0, odd)


class Memory:
    """Memory that one read after another uses: what a read returned is overwritten by the next.

    New memory has to be cleared by the system before it is given out; memory that is there has not.
    """

    def __init__(self) -> None:
        self._bytes: np.ndarray | None = None
        self._made: tuple[Plan, Arrays] | None = None

    def take(self, size: int) -> "np.ndarray":
        """Return at least so many bytes, the same as before if there were enough."""
        if self._bytes is None or len(self._bytes) < size:
            self._bytes, self._made = new(size), None
        return self._bytes

    def arrays(self, wanted: Plan) -> Arrays:
        """Return the arrays of a plan in the bytes taken last; of the plan before, those of before."""
        assert self._bytes is not None
        if self._made is None or self._made[0] is not wanted:
            self._made = wanted, arrays(self._bytes, wanted)
        return dict(self._made[1])


def new(size: int) -> "np.ndarray":
    """Return so many new bytes that begin at a multiple of 64."""
    import numpy as np

    found = np.empty(size + ALIGNED, "u1")
    return found[-found.ctypes.data % ALIGNED :][:size]


def arrays(memory: "np.ndarray", wanted: Plan) -> Arrays:
    """Return the tensors of a plan as they lie in memory; those that are ``odd`` are not yet what they will be."""
    import numpy as np

    return {name: np.ndarray(shape, dtype, memory, at) for name, shape, dtype, at in wanted.places}

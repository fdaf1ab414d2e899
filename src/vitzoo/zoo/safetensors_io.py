"""Files in the safetensors format: a deterministic writer that hashes while it writes, and a lazy, suspicious reader.

What a header may say is in ``safetensors_header``; what a zoo asks beyond the format is in ``docs/format.md``.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError, nearest
from vitzoo.zoo.placing import Arrays, Memory, Plan, arrays, new, plan
from vitzoo.zoo.regular import REMEDY, opened
from vitzoo.zoo.safetensors_header import (
    DTYPES,
    MAX_HEADER,
    MAX_NAME,
    MAX_RANK,
    MAX_TENSORS,
    METADATA,
    PREFIX,
    Slot,
    decode,
    header_length,
    is_tensor_name,
    parse_header,
)

if TYPE_CHECKING:
    import numpy as np

LONGEST_KNOWN, MOST_KNOWN = 64_000, 64  # bytes of headers that are remembered, and how many
_WRITTEN = {code: name for name, (code, _) in DTYPES.items() if name != "BF16"}


def write(path: Path, tensors: Mapping[str, Any]) -> tuple[str, int]:
    """Write a new file, synced to disk; return its SHA-256 and size in bytes.

    ``tensors`` holds NumPy arrays or anything with the buffer or array protocol. Contiguous little-endian arrays
    are written from where they lie, without a copy.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("xb", buffering=1 << 18) as file:
        for chunk in _chunks(tensors):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest(), size


def sha256(tensors: Mapping[str, Any]) -> str:
    """Return the digest that a file of these tensors would have."""
    digest = hashlib.sha256()
    for chunk in _chunks(tensors):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(tensors: Mapping[str, Any]) -> Iterator[bytes | memoryview]:
    """Yield a file's bytes: the header, then the data of each tensor."""
    arrays = {name: _writable(name, value) for name, value in tensors.items()}
    yield _header(arrays)
    for name in _data_order(arrays):
        yield _bytes(arrays[name])


def read_header(path: Path) -> dict[str, Slot]:
    """Read and check the header; IntegrityError names the file and, where there is one, the tensor."""
    with opened(path) as descriptor:
        return dict(_header_of(descriptor, path).slots)


def read(path: Path, names: Iterable[str] | None = None, memory: Memory | None = None) -> Arrays:
    """Read the named tensors (default: all, in the file's order); nothing else is read from disk.

    The arrays of one call lie side by side in one piece of memory, which lives as long as one of them does. With
    ``memory`` that of the call before is used again, and what it returned is overwritten.
    """
    with opened(path) as descriptor:
        header = _header_of(descriptor, path)
        wanted = header.whole if names is None else plan(_chosen(header.slots, names, path))
        _check_memory(wanted.size, path)
        space = new(wanted.size) if memory is None else memory.take(wanted.size)
        for run in wanted.runs:
            _fill(descriptor, space[run.at : run.at + run.end - run.begin], run.begin, path)
    found = arrays(space, wanted) if memory is None else memory.arrays(wanted)
    return _usable(found, wanted, path) if wanted.odd else found


def _writable(name: str, value: Any) -> "np.ndarray":
    import numpy as np

    if not is_tensor_name(name):
        raise InputError(
            f"{name!r} cannot be the name of a tensor; use 1 to {MAX_NAME} printable characters and no slash."
        )
    array = np.asarray(value, order="C")
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    if array.dtype.str not in _WRITTEN:
        raise InputError(f"Tensor {name!r} has type {array.dtype}; a zoo stores {', '.join(_WRITTEN.values())}.")
    if array.ndim > MAX_RANK:
        raise InputError(f"Tensor {name!r} has {array.ndim} dimensions; a zoo stores at most {MAX_RANK}.")
    return array


def _data_order(arrays: "dict[str, np.ndarray]") -> list[str]:
    return sorted(arrays, key=lambda name: -arrays[name].itemsize)  # stable: the given order within one size


def _header(arrays: "dict[str, np.ndarray]") -> bytes:
    if len(arrays) > MAX_TENSORS:
        raise InputError(f"A checkpoint holds at most {MAX_TENSORS} tensors, not {len(arrays)}.")
    offsets, end = {}, 0
    for name in _data_order(arrays):
        offsets[name] = [end, end := end + arrays[name].nbytes]
    header: dict[str, Any] = {METADATA: {"format": "pt"}}
    for name, array in arrays.items():
        if name in header:
            raise InputError(f"A tensor cannot be named {METADATA!r}; the format uses that name.")
        dtype = _WRITTEN[array.dtype.str]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets[name]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise InputError(f"The names of these tensors need {len(text):,} bytes; at most {MAX_HEADER:,} can be stored.")
    return len(text).to_bytes(8, "little") + text


def _bytes(array: "np.ndarray") -> memoryview:
    # A flat view of bytes; an empty array has no memory that could be viewed.
    return array.reshape(-1).view("u1").data if array.size else memoryview(b"")


class _Header:
    """Where the tensors lie in a file, and the plan to read them all, made when it is first needed."""

    def __init__(self, slots: dict[str, Slot]) -> None:
        self.slots = slots

    @cached_property
    def whole(self) -> Plan:
        return plan(self.slots)


_known: dict[tuple[int, bytes], _Header] = {}


def _header_of(descriptor: int, path: Path) -> _Header:
    """Read and check a header, once for all files that have the same.

    The checkpoints of a member have the same header to the byte, and most members of a zoo the same as others. What it
    says depends on nothing but its bytes and the size of the file.
    """
    size = os.fstat(descriptor).st_size
    length = header_length(os.pread(descriptor, PREFIX, 0), size, path)
    text = os.pread(descriptor, length, PREFIX)
    found = _known.get((size, text))
    if found is None:
        found = _Header(parse_header(text, size, path))
        if len(text) <= LONGEST_KNOWN:
            if len(_known) >= MOST_KNOWN:
                _known.clear()
            _known[size, text] = found
    return found


def _chosen(slots: Mapping[str, Slot], names: Iterable[str], path: Path) -> dict[str, Slot]:
    wanted = list(names)
    if unknown := [name for name in wanted if name not in slots]:
        raise InputError(f"{path} has no tensor {unknown[0]!r}.{nearest(unknown[0], slots)}")
    return {name: slots[name] for name in wanted}


def _check_memory(needed: int, path: Path) -> None:
    """A file that is mostly holes may be larger than any memory and cost its sender nothing."""
    there = _memory_of_this_machine()
    if needed > there:
        raise InputError(f"{path} holds {needed:,} bytes of these tensors; this machine has {there:,} of memory.")


@cache
def _memory_of_this_machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _fill(descriptor: int, target: "np.ndarray", begin: int, path: Path) -> None:
    view, done = target.data, 0
    while done < len(target):  # one call reads at most 2 GiB
        count = os.preadv(descriptor, [view[done:]], begin + done)
        if count == 0:
            raise IntegrityError(f"{path} ends early. {REMEDY}.")
        done += count


def _usable(found: Arrays, wanted: Plan, path: Path) -> Arrays:
    """Finish the tensors that do not lie in memory as they should."""
    import numpy as np

    for name, slot in wanted.odd.items():
        # Processors and libraries want numbers at multiples of their size; a file that others wrote may lack that.
        found[name] = decode(slot, np.require(found[name], requirements="A"), path, name)
    return found

"""The safetensors format: a deterministic writer that hashes while it writes, and a lazy, suspicious reader.

Format: https://github.com/huggingface/safetensors#format. What a zoo asks beyond it is in ``docs/format.md``.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError, nearest
from vitzoo.zoo.strict_json import REMEDY, parse

if TYPE_CHECKING:
    import numpy as np

MAX_HEADER = 1_000_000
MAX_TENSORS = 4096
MAX_RANK = 8
MAX_SIDE = 2**31
# type in the file → (NumPy's little-endian type, bytes per element); BF16 has no NumPy type and is read only
DTYPES = {
    "BOOL": ("|b1", 1),
    "U8": ("|u1", 1),
    "I8": ("|i1", 1),
    "U16": ("<u2", 2),
    "I16": ("<i2", 2),
    "F16": ("<f2", 2),
    "BF16": ("<u2", 2),
    "U32": ("<u4", 4),
    "I32": ("<i4", 4),
    "F32": ("<f4", 4),
    "U64": ("<u8", 8),
    "I64": ("<i8", 8),
    "F64": ("<f8", 8),
}
_WRITTEN = {code: name for name, (code, _) in DTYPES.items() if name != "BF16"}


@dataclass(frozen=True)
class Slot:
    """Where one tensor lies: its type, shape and byte range in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


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
    descriptor = _open(path)
    try:
        return _read_header(descriptor, path)
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read: {error.strerror}. {REMEDY}.") from error
    finally:
        os.close(descriptor)


def read(path: Path, names: Iterable[str] | None = None) -> "dict[str, np.ndarray]":
    """Read the named tensors (default: all, in the file's order); nothing else is read from disk."""
    descriptor = _open(path)
    try:
        slots = _read_header(descriptor, path)
        wanted = list(slots) if names is None else list(names)
        if unknown := [name for name in wanted if name not in slots]:
            raise InputError(f"{path} has no tensor {unknown[0]!r}.{nearest(unknown[0], slots)}")
        return {name: _read_tensor(descriptor, slots[name], path, name) for name in wanted}
    except OSError as error:
        raise IntegrityError(f"{path} cannot be read: {error.strerror}. {REMEDY}.") from error
    finally:
        os.close(descriptor)


def _writable(name: str, value: Any) -> "np.ndarray":
    import numpy as np

    if not isinstance(name, str) or not 1 <= len(name) <= 256 or not name.isprintable():
        raise InputError(f"{name!r} cannot be the name of a tensor; use 1 to 256 printable characters.")
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
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    for name, array in arrays.items():
        if name in header:
            raise InputError("A tensor cannot be named '__metadata__'; the format uses that name.")
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


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise IntegrityError(f"{path} cannot be opened: {error.strerror}. {REMEDY}.") from error


def _read_header(descriptor: int, path: Path) -> dict[str, Slot]:
    size = os.fstat(descriptor).st_size
    start = os.pread(descriptor, 8, 0)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > min(MAX_HEADER, size - 8):
        raise IntegrityError(f"{path} does not begin like a safetensors file; it is cut off or damaged. {REMEDY}.")
    header = parse(os.pread(descriptor, length, 8), f"The header of {path}")
    if not isinstance(header, dict):
        raise IntegrityError(f"The header of {path} is not a JSON object. {REMEDY}.")
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise IntegrityError(f"{path} has {len(header)} tensors, no zoo writes more than {MAX_TENSORS}. {REMEDY}.")
    slots = {name: _slot(name, entry, 8 + length, path) for name, entry in header.items()}
    _check_ranges(slots, 8 + length, size, path)
    return slots


def _slot(name: str, entry: Any, base: int, path: Path) -> Slot:
    where = f"{path}, tensor {name[:256]!r}"
    if not 1 <= len(name) <= 256 or not name.isprintable():
        raise IntegrityError(f"{where}: a name has 1 to 256 printable characters. {REMEDY}.")
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        sides = [*shape]
        width = DTYPES[dtype][1]
    except (TypeError, KeyError, ValueError):
        raise IntegrityError(f"{where}: its entry has no known dtype, shape and data_offsets. {REMEDY}.") from None
    if len(sides) > MAX_RANK or not all(type(n) is int and 0 <= n < MAX_SIDE for n in sides):
        raise IntegrityError(f"{where}: {str(shape)[:80]} is not a shape. {REMEDY}.")
    if type(begin) is not int or type(end) is not int or end - begin != math.prod(sides) * width:
        raise IntegrityError(f"{where}: its byte range does not fit shape {sides} of {dtype}. {REMEDY}.")
    return Slot(dtype, tuple(sides), base + begin, base + end)


def _check_ranges(slots: dict[str, Slot], start: int, size: int, path: Path) -> None:
    """Data ranges must fill the file from the header to the end, each byte belonging to one tensor."""
    for name, slot in sorted(slots.items(), key=lambda item: (item[1].begin, item[1].end)):
        if slot.begin != start:
            raise IntegrityError(f"{path}, tensor {name!r}: its bytes overlap others or leave a gap. {REMEDY}.")
        start = slot.end
    if start != size:
        raise IntegrityError(f"{path} has {size:,} bytes, its header speaks of {start:,}. {REMEDY}.")


def _read_tensor(descriptor: int, slot: Slot, path: Path, name: str) -> "np.ndarray":
    import numpy as np

    array = np.empty(slot.shape, DTYPES[slot.dtype][0])
    view, offset = _bytes(array), slot.begin
    while offset < slot.end:  # one call reads at most 2 GiB
        count = os.preadv(descriptor, [view[offset - slot.begin :]], offset)
        if count == 0:
            raise IntegrityError(f"{path}, tensor {name!r}: the file ends early. {REMEDY}.")
        offset += count
    if slot.dtype == "BF16":  # the upper half of a 32-bit float
        return (array.astype("<u4") << np.uint32(16)).view("<f4")
    return array

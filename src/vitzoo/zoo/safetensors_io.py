"""Files in the safetensors format: a deterministic writer that hashes while it writes, and a lazy, suspicious reader.

What a header may say is in ``safetensors_header``; what a zoo asks beyond the format is in ``docs/format.md``.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError, nearest
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
        return _read_header(descriptor, path)


def read(path: Path, names: Iterable[str] | None = None) -> "dict[str, np.ndarray]":
    """Read the named tensors (default: all, in the file's order); nothing else is read from disk."""
    with opened(path) as descriptor:
        slots = _read_header(descriptor, path)
        wanted = list(slots) if names is None else list(names)
        if unknown := [name for name in wanted if name not in slots]:
            raise InputError(f"{path} has no tensor {unknown[0]!r}.{nearest(unknown[0], slots)}")
        _check_memory(sum(slots[name].end - slots[name].begin for name in wanted), path)
        return {name: _read_tensor(descriptor, slots[name], path, name) for name in wanted}


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


def _read_header(descriptor: int, path: Path) -> dict[str, Slot]:
    size = os.fstat(descriptor).st_size
    length = header_length(os.pread(descriptor, PREFIX, 0), size, path)
    return parse_header(os.pread(descriptor, length, PREFIX), size, path)


def _check_memory(needed: int, path: Path) -> None:
    """A file that is mostly holes may be larger than any memory and cost its sender nothing."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise InputError(f"{path} holds {needed:,} bytes of these tensors; this machine has {there:,} of memory.")


def _read_tensor(descriptor: int, slot: Slot, path: Path, name: str) -> "np.ndarray":
    import numpy as np

    array = np.empty(slot.shape, DTYPES[slot.dtype][0])
    view, offset = _bytes(array), slot.begin
    while offset < slot.end:  # one call reads at most 2 GiB
        count = os.preadv(descriptor, [view[offset - slot.begin :]], offset)
        if count == 0:
            raise IntegrityError(f"{path}, tensor {name!r}: the file ends early. {REMEDY}.")
        offset += count
    return decode(slot, array, path, name)

"""The header of a safetensors file, checked to the last byte before anything uses the file. Pure: bytes in, slots out.

Format: https://github.com/huggingface/safetensors#format. What a zoo asks beyond it is in ``docs/format.md``.
"""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from vitzoo.errors import IntegrityError
from vitzoo.zoo.regular import REMEDY
from vitzoo.zoo.strict_json import parse

if TYPE_CHECKING:
    import numpy as np

PREFIX = 8  # bytes of the header's length, in front of it
MAX_HEADER = 1_000_000
MAX_TENSORS = 4096
MAX_RANK = 8
MAX_SIDE = 2**31
MAX_NAME = 256
METADATA = "__metadata__"
ENTRY = frozenset({"dtype", "shape", "data_offsets"})
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


class Slot(NamedTuple):
    """Where one tensor lies: its type, shape and byte range in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def width(self) -> int:
        """Bytes of an element."""
        return DTYPES[self.dtype][1]


def is_tensor_name(name: object) -> bool:
    """Say whether a tensor may have this name; it may become a file's in an archive, so it must not be a path.

    >>> is_tensor_name("blocks.0.attn.qkv.weight"), is_tensor_name("../../etc/passwd"), is_tensor_name("a\\0")
    (True, False, False)
    """
    return isinstance(name, str) and 1 <= len(name) <= MAX_NAME and name.isprintable() and not {"/", "\\"} & {*name}


def header_length(start: bytes, size: int, where: object) -> int:
    """Return how many bytes the header has, given a file's first 8 and its size; IntegrityError if that cannot be."""
    length = int.from_bytes(start, "little")
    if len(start) != PREFIX or length > min(MAX_HEADER, size - PREFIX):
        raise IntegrityError(f"{where} does not begin like a safetensors file; it is cut off or damaged. {REMEDY}.")
    return length


def parse_header(text: bytes, size: int, where: object) -> dict[str, Slot]:
    """Return where the tensors of a file lie, in the header's order.

    ``text`` is the header without the 8 bytes in front of it, ``size`` that of the whole file, ``where`` its name in
    errors. IntegrityError names the file and, where there is one, the tensor.

    >>> parse_header(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8 + 54 + 8, "example")
    {'a': Slot(dtype='F32', shape=(2,), begin=62, end=70)}
    """
    # The format asks for both; JSON alone would allow other white space around.
    if not text.startswith(b"{") or not text.rstrip(b" ").endswith(b"}"):
        raise IntegrityError(f"The header of {where} is not a JSON object followed by spaces only. {REMEDY}.")
    header = parse(text, f"The header of {where}")
    _check_metadata(header.pop(METADATA, {}), where)
    if len(header) > MAX_TENSORS:
        raise IntegrityError(f"{where} has {len(header)} tensors, no zoo writes more than {MAX_TENSORS}. {REMEDY}.")
    base = PREFIX + len(text)
    slots = {name: _slot(name, entry, base, where) for name, entry in header.items()}
    _check_ranges(slots, base, size, where)
    return slots


def decode(slot: Slot, array: "np.ndarray", where: object, name: str) -> "np.ndarray":
    """Return a tensor as NumPy has it, given its elements as they lie in the file: BF16 becomes 32 bits wide.

    IntegrityError if a byte of a BOOL is neither 0 nor 1, which is a truth value to nobody.
    """
    import numpy as np

    if slot.dtype == "BF16":  # the upper half of a 32-bit float
        return (array.astype("<u4") << np.uint32(16)).view("<f4")
    if slot.dtype == "BOOL" and array.size and array.view("u1").max() > 1:
        raise IntegrityError(f"{where}, tensor {name!r}: its bytes are not all 0 or 1. {REMEDY}.")
    return array


def _check_metadata(metadata: Any, where: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise IntegrityError(f"The header of {where} has a {METADATA} that is no map of texts. {REMEDY}.")


def _slot(name: str, entry: Any, base: int, where: object) -> Slot:
    where = f"{where}, tensor {name[:MAX_NAME]!r}"
    if not is_tensor_name(name):
        raise IntegrityError(f"{where}: a name has 1 to {MAX_NAME} printable characters and no slash. {REMEDY}.")
    if not _is_entry(entry):
        raise IntegrityError(f"{where}: its entry is not a known dtype, a shape and data_offsets. {REMEDY}.")
    dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    width = DTYPES[dtype][1]
    if not _is_shape(shape, width):
        raise IntegrityError(f"{where}: {ascii(shape)[:80]} is not a shape. {REMEDY}.")
    if end - begin != math.prod(shape) * width:
        raise IntegrityError(f"{where}: its byte range does not fit shape {shape} of {dtype}. {REMEDY}.")
    return Slot(dtype, tuple(shape), base + begin, base + end)


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == ENTRY
        and isinstance(entry["dtype"], str)
        and entry["dtype"] in DTYPES
        and isinstance(entry["data_offsets"], list)
        and [type(offset) for offset in entry["data_offsets"]] == [int, int]
    )


def _is_shape(shape: Any, width: int) -> bool:
    """A shape that NumPy can make: it multiplies the sides other than 0, also of a tensor without elements."""
    return (
        isinstance(shape, list)
        and len(shape) <= MAX_RANK
        and all(type(side) is int and 0 <= side < MAX_SIDE for side in shape)
        and math.prod(side for side in shape if side) * width < 2**63
    )


def _check_ranges(slots: dict[str, Slot], start: int, size: int, where: object) -> None:
    """Data ranges must fill the file from the header to the end, each byte belonging to one tensor."""
    for name, slot in sorted(slots.items(), key=lambda item: (item[1].begin, item[1].end)):
        if slot.begin != start:
            raise IntegrityError(f"{where}, tensor {name!r}: its bytes overlap others or leave a gap. {REMEDY}.")
        start = slot.end
    if start != size:
        raise IntegrityError(f"{where} has {size:,} bytes, its header speaks of {start:,}. {REMEDY}.")

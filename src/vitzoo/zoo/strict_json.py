"""JSON as a zoo allows it: small, shallow, no duplicate keys, only finite numbers and text. All else is an error."""

import json
import math
import numbers
from pathlib import Path
from typing import Any, NoReturn

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo.regular import REMEDY, read_bytes

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_INT = 2**63 - 1  # in magnitude: what columns of the catalogue and readers in other languages can hold


def parse(data: bytes, where: object) -> Any:
    """Parse one document; ``where`` names it in the IntegrityError.

    >>> parse(b'{"a": [1, 2.5, null]}', "example")
    {'a': [1, 2.5, None]}
    """
    if len(data) > MAX_BYTES:
        raise IntegrityError(f"{where} has more than {MAX_BYTES:,} bytes of JSON. {REMEDY}.")
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=without_duplicates,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
        if b"\\ud" in data or b"\\uD" in data:  # only then can there be half of a surrogate pair
            json.dumps(value, ensure_ascii=False).encode()
        if data.count(b"{") + data.count(b"[") > MAX_DEPTH:  # only then can it be too deep
            check_depth(value)
    except (ValueError, RecursionError) as error:
        text = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise IntegrityError(f"{where} is not valid JSON: {text}. {REMEDY}.") from None
    return value


def read(path: Path) -> Any:
    """Read one JSON document from a file."""
    return parse(read_bytes(path, MAX_BYTES), path)


def read_object(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """Read an object that has at least these keys, in a format this program knows."""
    return check_object(read(path), keys, path)


def check_object(value: Any, keys: tuple[str, ...], where: object) -> dict[str, Any]:
    """Return the value if it is an object with at least these keys, in a known format; IntegrityError otherwise."""
    if not isinstance(value, dict):
        raise IntegrityError(f"{where} does not hold a JSON object. {REMEDY}.")
    form = value.get("format", 1)
    if "format" in keys and (type(form) is not int or form != 1):
        found = str(form)[:20]
        raise IntegrityError(f"{where} has format {found!r}, this program knows format 1. Update vitzoo to read it.")
    if missing := [key for key in keys if key not in value]:
        raise IntegrityError(f"{where} lacks {', '.join(map(repr, missing))}. {REMEDY}.")
    return value


def encode(value: Any, indent: int | None = 1) -> bytes:
    """Encode to bytes; keys keep their order, so equal values made in the same way are equal bytes."""
    try:
        data = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"This cannot be stored as JSON: {error}. Use finite numbers, text, lists and maps.") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"This is {len(data):,} bytes of JSON; a zoo stores at most {MAX_BYTES:,} in one document.")
    return data


def encode_foreign(value: Any) -> bytes:
    """Encode what a caller gave, and make sure that it can be read again (depth, duplicate keys after encoding)."""
    data = encode(value)
    try:
        parse(data, "This")
    except IntegrityError as error:
        raise InputError(str(error).removesuffix(f" {REMEDY}.")) from None
    return data


def number(value: Any) -> int | float | None:
    """Return a metric as JSON allows it: NumPy scalars become Python's, what is not finite becomes ``None``.

    >>> number(float("nan")), number(3), number(0.5)
    (None, 3, 0.5)
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{value!r} is not a number")
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if math.isfinite(value) else None


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its pairs; ValueError if a key occurs twice."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _int(text: str) -> int:
    # Told by its digits: a longer number may not be converted at all.
    value = int(text) if len(text) <= 20 else None
    if value is None or abs(value) > MAX_INT:
        raise ValueError(f"{text[:40]} is too large for a whole number")
    return value


def check_depth(value: Any, depth: int = 1) -> None:
    """ValueError if a value is nested more than a zoo's JSON may be."""
    if depth > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            check_depth(item, depth + 1)

"""JSON that others wrote: small, shallow and without duplicate keys, as ours, but NaN and infinity mean "no number"."""

import json
import math
from pathlib import Path
from typing import Any

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo.strict_json import MAX_BYTES, MAX_DEPTH, check_depth, read_bytes, without_duplicates


def parse(data: bytes, where: object, limit: int = MAX_BYTES) -> Any:
    """Parse one document; InputError names it if it is not JSON, too large, too deep or has a key twice.

    >>> parse(b'{"test_loss": NaN, "test_acc": 0.5, "lr": 1e999}', "example")
    {'test_loss': None, 'test_acc': 0.5, 'lr': None}
    """
    if len(data) > limit:
        raise InputError(f"{where} has more than {limit:,} bytes of JSON, which is not read.")
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=without_duplicates,
            parse_constant=lambda text: None,
            parse_float=_float,
        )
        if data.count(b"{") + data.count(b"[") > MAX_DEPTH:  # only then can it be too deep
            check_depth(value)
    except (ValueError, RecursionError) as error:
        text = "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise InputError(f"{where} is not valid JSON: {text}.") from None
    return value


def read_object(path: Path) -> dict[str, Any]:
    """Read a small file that holds one JSON object; InputError if it cannot be read or holds something else."""
    value = parse(read_text(path, MAX_BYTES), path)
    if not isinstance(value, dict):
        raise InputError(f"{path} does not hold a JSON object.")
    return value


def read_text(path: Path, limit: int) -> bytes:
    """Read a plain file of at most ``limit`` bytes, never through a symbolic link; InputError otherwise."""
    try:
        return read_bytes(path, limit)
    except IntegrityError as error:  # what is damaged there is not ours, so it is bad input here
        raise InputError(str(error).partition(". ")[0] + ".") from None


def _float(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None

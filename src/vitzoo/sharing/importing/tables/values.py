"""Cells of tables that others wrote, as plain values: text stays text unless all of it is a number or a truth value."""

import math
import re
from typing import Any

MISSING = frozenset({"", "-", "na", "n/a", "nan", "nil", "none", "null", "inf", "+inf", "-inf", "infinity"})
_NUMERIC = tuple("0123456789+-.")
_INT = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)  # 19 digits hold a seed of 63 bits; longer ones are names
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)


def of_text(text: str) -> Any:
    """Return what a cell says: a number, a truth value, text, or ``None`` where there is no value or no finite one.

    Nothing is computed: what a spreadsheet would take for a formula is text.

    >>> [of_text(cell) for cell in ("42", "1e-3", "True", "nan", "adamw", "=1+1", "1_000")]
    [42, 0.001, True, None, 'adamw', '=1+1', '1_000']
    """
    text = text.strip()
    if text.startswith(_NUMERIC):  # most cells, and names of models, so that it is worth asking first
        if _INT.fullmatch(text):
            return int(text)
        if len(text) <= 64 and _FLOAT.fullmatch(text):
            return value if math.isfinite(value := float(text)) else None
    lowered = text[:12].lower()
    if lowered in MISSING:
        return None
    return lowered == "true" if lowered in ("true", "false") else text


def number(value: Any) -> int | float | None:
    """Return a value if it is a finite number, ``None`` otherwise; truth values are no numbers.

    >>> number(0.5), number(True), number("0.5")
    (0.5, None, None)
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


def shown(value: Any) -> str:
    """Write a value for a note: short, on one line, without control characters.

    >>> shown("a" * 100)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…"
    """
    text = ascii(value)
    return text if len(text) <= 50 else text[:49] + "…"

"""How values of the catalogue look in a table: short, aligned, and never able to steer the terminal."""

from collections.abc import Sequence
from typing import Any

from vitzoo.cli.output import size

BLOCKS = "▁▂▃▄▅▆▇█"


def printable(text: object) -> str:
    """Return the text without control characters; a zoo may come from strangers.

    >>> printable("a\\x1b[31mb")
    'a·[31mb'
    """
    return "".join(c if c.isprintable() else "·" for c in str(text))


def value(name: str, found: Any) -> str:
    """Write a value of a column: accuracies in percent, bytes in units, other numbers with four digits.

    >>> value("test_acc", 0.81234), value("lr", 0.001), value("size", 86817), value("flip", None)
    ('81.2 %', '0.001', '86.8 kB', '–')
    """
    if found is None:
        return "–"
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, int | float):
        return number(name, found)
    if isinstance(found, list | tuple):
        return ", ".join(value(name, item) for item in found)
    return printable(found)


def number(name: str, found: float) -> str:
    """Write a number of a column."""
    if name == "size":
        return size(found)
    if "_acc" in name and 0 <= found <= 1:
        return f"{100 * found:.1f} %"
    if isinstance(found, int):
        return str(found)
    if name.endswith("_loss") or "_loss_" in name:
        return f"{found:.3f}" if found < 100 else f"{found:.3g}"
    return f"{found:,.0f}" if found >= 10_000 else f"{found:.4g}"


def sparkline(values: Sequence[float | None], width: int = 40) -> str:
    """Draw numbers as a line of blocks, low to high; a value that was not finite is a space.

    >>> sparkline([0, 1, None, 3])
    '▁▃ █'
    """
    count = len(values)
    picked = values if count <= width else [values[i * (count - 1) // (width - 1)] for i in range(width)]
    known = [v for v in picked if v is not None]
    if not known:
        return ""
    low, span = min(known), (max(known) - min(known)) or 1.0
    return "".join(" " if v is None else BLOCKS[round((v - low) / span * (len(BLOCKS) - 1))] for v in picked)

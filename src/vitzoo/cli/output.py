"""How the command line writes numbers, tables and JSON. Heavy imports happen only when something is printed."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

PIPE_WIDTH = 120  # columns where the output is no terminal


def print_json(data: Any) -> None:
    """Print data as one JSON document, exact numbers, no NaN; the only thing a command prints with ``--json``."""
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    json.dump(data, sys.stdout, indent=2, ensure_ascii=ascii_only, allow_nan=False)
    sys.stdout.write("\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table; the columns named in ``right`` are numbers and align right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a value is never read as markup
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def count(number: int | None) -> str:
    """Write a whole number with separators.

    >>> count(21704164), count(None)
    ('21,704,164', 'unknown')
    """
    return "unknown" if number is None else f"{number:,}"


def percent(share: float) -> str:
    """Write a share as percent.

    >>> percent(0.1234)
    '12.3 %'
    """
    return f"{100 * share:.1f} %"


def size(number: float | None) -> str:
    """Write bytes in decimal units with three digits.

    >>> size(1_062_000_000_000), size(86_816_656), size(512)
    ('1.06 TB', '86.8 MB', '512 B')
    """
    from vitzoo.analysis import words

    return "unknown" if number is None else words.size(number)


def flop(number: float | None) -> str:
    """Write FLOPs with three digits.

    >>> flop(5.96e19)
    '5.96e+19'
    """
    return "unknown" if number is None else f"{number:.3g}"


def duration(seconds: float | None) -> str:
    """Write a time in its two largest units.

    >>> duration(12_000), duration(42.4), duration(0.25), duration(3e8), duration(59.9)
    ('3 h 20 min', '42 s', '0.25 s', '9.5 years', '1 min')
    """
    if seconds is None:
        return "unknown"
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds > 2 * 365.25 * 86400:
        return f"{seconds / (365.25 * 86400):,.1f} years"
    for name, length, part, short in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        rounded = round(seconds / short)
        if rounded >= length // short:
            whole, rest = divmod(rounded, length // short)
            return f"{whole} {name} {rest} {part}" if rest else f"{whole} {name}"
    return f"{round(seconds)} s"

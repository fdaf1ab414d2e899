"""Numbers, lists and tables as Markdown has them; what comes from a zoo is escaped, since it may be a stranger's."""

from collections.abc import Iterable, Sequence

from vitzoo.analysis.tables import escape


def listed(parts: Iterable[str]) -> str:
    """Join parts with commas and "and".

    >>> listed(["7 supervised"]), listed(["1 a", "2 b", "3 c"])
    ('7 supervised', '1 a, 2 b and 3 c')
    """
    found = list(parts)
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)


def counted(number: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun.

    >>> counted(1, "member"), counted(2090, "checkpoint")
    ('1 member', '2,090 checkpoints')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: float) -> str:
    """Write bytes in decimal units with three digits.

    >>> size(962_820_189), size(512)
    ('963 MB', '512 B')
    """
    units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    while number >= 999.5 and len(units) > 1:
        number /= 1000
        units.pop(0)
    return f"{number:.3g} {units[0]}"


def percent(fraction: float) -> str:
    """Write a fraction in percent with one decimal, without the sign.

    >>> percent(0.7431), percent(-0.0001)
    ('74.3', '0.0')
    """
    return f"{round(100 * fraction, 1) + 0.0:.1f}".replace("-", "−")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Return a Markdown table of cells that are escaped already; the columns named in ``right`` align right.

    >>> print(table(["factor", "n"], [["head", "2"]], right=["n"]))
    | factor | n |
    |---|---:|
    | head | 2 |
    """
    rule = "|" + "|".join("---:" if name in right else "---" for name in header) + "|"
    return "\n".join([_row(header), rule, *map(_row, rows)])


def code(text: str) -> str:
    """Write a value as code, whatever is in it.

    >>> print(code("lr"), code("a`b"))
    `lr` `` a`b ``
    """
    shown = escape.printable(text)
    if "|" in shown:  # a table's cell ends there, in code too
        return escape.markdown(shown)
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

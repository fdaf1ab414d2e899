"""Tables and code as Markdown has them; what comes from a zoo is escaped, since it may be a stranger's."""

from collections.abc import Iterable, Sequence

from vitzoo.analysis.tables import escape


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

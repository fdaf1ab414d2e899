"""The paper's tables of a zoo, one file each, as data (``table``) that is then written in a format (``render``)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from vitzoo.analysis.tables import table1, table2, table6, table78
from vitzoo.analysis.tables.table import Table
from vitzoo.errors import InputError
from vitzoo.measures.measurements import Measurements

__all__ = ["NUMBERS", "REFINED", "build", "check"]

NUMBERS = ("1", "2", "6", "7", "8")  # the paper's
REFINED = ("1", "2")  # those that it makes of the refined zoo
_BUILDERS: dict[str, Callable[[Measurements], Table]] = {
    "1": table1.build,
    "2": table2.build,
    "6": table6.build,
    "7": lambda m: table78.build(m, "7"),
    "8": lambda m: table78.build(m, "8"),
}


def build(m: Measurements, refine: str | None = None, numbers: Sequence[str] | None = None) -> list[Table]:
    """Return the tables of the paper with these numbers, all if None, in the paper's order.

    ``refine`` is a boolean SQL expression over the members' columns; with it Tables 1 and 2 come twice, of all members
    and of the fine-tuned ones that fit. A table without rows says why in its notes. InputError if a number is none
    of the paper's, if the expression is none or no chosen table is refined, or if no fine-tuned member is finished.

    >>> build(measurements, "test_acc > 0.65", ["2"])  # doctest: +SKIP
    """
    chosen = NUMBERS if numbers is None else tuple(numbers)
    check(chosen, refine)
    if m.members.empty or m.finetuned().empty:
        raise InputError(f"The zoo {m.zoo!r} has no finished fine-tuned member to tabulate. Grow it first.")
    refined = None if refine is None else m.refine(refine)
    found = []
    for number in (number for number in NUMBERS if number in chosen):
        found.append(_BUILDERS[number](m))
        if refine is not None and refined is not None and number in REFINED:
            found.append(_refined(_BUILDERS[number](refined), refine, len(refined.finetuned()), len(m.finetuned())))
    return found


def check(numbers: Sequence[str], refine: str | None = None) -> None:
    """Raise InputError if a number is none of the paper's tables, or if none of them can be refined and that is asked.

    >>> check(["1", "3"])
    Traceback (most recent call last):
    ...
    vitzoo.errors.InputError: '3' is no table of the analysis; the tables are 1, 2, 6, 7, 8.
    """
    if wrong := [number for number in numbers if number not in NUMBERS]:
        raise InputError(f"{wrong[0]!r} is no table of the analysis; the tables are {', '.join(NUMBERS)}.")
    if refine is not None and not set(numbers) & set(REFINED):
        raise InputError("Only Tables 1 and 2 can be refined, and neither is chosen; add one or leave refining out.")


def _refined(table: Table, where: str, kept: int, total: int) -> Table:
    share = f"Refined by {where}: {kept} of {total} fine-tuned members kept, {100 * kept / total:.1f} %."
    return replace(table, title=f"{table.title}, refined", notes=(share, *table.notes), variant="refined")

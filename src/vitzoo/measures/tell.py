"""How a measure on demand says how far it is."""

from collections.abc import Callable

#: Called with (done, total, what is done next or was done last); raising from it stops the measure.
Tell = Callable[[int, int, str], None]


def silent(done: int, total: int, what: str) -> None:
    """Say nothing."""

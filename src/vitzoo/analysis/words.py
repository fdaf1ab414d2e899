"""Numbers, days and lists as a sentence has them."""

from collections.abc import Iterable
from datetime import date

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def day(when: date) -> str:
    """Write a day, in English whatever the locale is.

    >>> day(date(2026, 3, 1))
    '1 March 2026'
    """
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def listed(parts: Iterable[str]) -> str:
    """Join parts with commas and "and".

    >>> listed(["7 supervised"]), listed(["1 a", "2 b", "3 c"])
    ('7 supervised', '1 a, 2 b and 3 c')
    """
    found = list(parts)
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)


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


def counted(number: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun.

    >>> counted(1, "member"), counted(2090, "checkpoint")
    ('1 member', '2,090 checkpoints')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(fraction: float) -> str:
    """Write a fraction in percent with one decimal, without the sign; never a negative zero.

    >>> percent(0.7431), percent(-0.0001)
    ('74.3', '0.0')
    """
    return f"{round(100 * fraction, 1) + 0.0:.1f}".replace("-", "−")

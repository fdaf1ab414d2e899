"""Many things that have no place for one reason, told in a few lines."""

from collections.abc import Sequence

from vitzoo.sharing.importing.survey import Unplaced

SHOWN = 5


def unplaced(keys: Sequence[str], reason: str, model: bool = False) -> list[Unplaced]:
    """Return a line for each thing, or one for all if they are more than a few: three by name, the rest counted.

    >>> [str(line) for line in unplaced([f"{n}.h5" for n in range(9)], "is in a format that is not read")]
    ['0.h5, 1.h5, 2.h5 and 6 more: is in a format that is not read']
    """
    if len(keys) <= SHOWN:
        return [Unplaced(key, reason, model) for key in keys]
    return [Unplaced(f"{', '.join(keys[:3])} and {len(keys) - 3:,} more", reason, model)]

"""Which members and checkpoints a published catalogue speaks of. Pure; the catalogue is believed only where it can be.

Places follow from names that a zoo may have, never from what the catalogue says of paths.
"""

from collections.abc import Iterable
from typing import Any

from vitzoo.errors import IntegrityError
from vitzoo.zoo.files import Listed
from vitzoo.zoo.layout import FINETUNING, SHA256, STAGES, is_name

MEMBERS = """SELECT stage, member, parent_member, id, status, regexp_replace(path, '/[^/]*$', '') AS place,
    list(epoch), list(sha256) FROM catalogue GROUP BY ALL"""
STATUSES = frozenset({"planned", "growing", "finished", "diverged"})
Listing = dict[str, Listed]


def listing(rows: Iterable[tuple[Any, ...]], where: object) -> Listing:
    """Return what the rows of ``MEMBERS`` say, by each member's place in the tree.

    IntegrityError names ``where`` if no zoo could have these members.

    >>> row = ("pretraining", "a", None, "0" * 64, "finished", "pretraining/a", [0, 5], ["e" * 64, "f" * 64])
    >>> listing([row], "example")["pretraining/a"].status
    'finished'
    """
    found: Listing = {}
    names: set[str] = set()
    for stage, member, parent, id, status, place, epochs, digests in rows:
        if place is None or place != _place(stage, member, parent):
            raise IntegrityError(f"{where} speaks of a place {str(place)[:160]!r} where no zoo has a member.")
        if not _is_sound(id, status, epochs, digests) or member.casefold() in names:
            raise IntegrityError(f"{where} speaks of the member {member!r} in ways that do not go together.")
        names.add(member.casefold())
        found[place] = Listed(id, status, dict(zip(epochs, digests, strict=True)))
    return found


def _place(stage: Any, member: Any, parent: Any) -> str | None:
    """The member's place in the tree, ``None`` if it can have none."""
    if stage not in STAGES or not is_name(member) or (parent is not None) != (stage == FINETUNING):
        return None
    if parent is None:
        return f"{stage}/{member}"
    return f"{stage}/{parent}/{member}" if is_name(parent) else None


def _is_sound(id: Any, status: Any, epochs: list[Any], digests: list[Any]) -> bool:
    return (
        status in STATUSES
        and all(isinstance(text, str) and SHA256.fullmatch(text) for text in (id, *digests))
        and all(type(epoch) is int and epoch >= 0 for epoch in epochs)
        and len(set(epochs)) == len(epochs)
    )

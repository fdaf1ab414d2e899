"""Which members and checkpoints a published catalogue speaks of. Pure; the catalogue is believed only where it can be.

Places follow from names that a zoo may have, never from what the catalogue says of paths.
"""

from collections.abc import Iterable
from typing import Any

from vitzoo.errors import IntegrityError
from vitzoo.zoo.files import Listed
from vitzoo.zoo.layout import FINETUNING, SHA256, STAGES, checkpoint_name, is_name

COLUMNS = ("stage", "member", "parent_member", "id", "status", "epoch", "sha256", "path")
STATUSES = frozenset({"planned", "growing", "finished", "diverged"})
Listing = dict[str, Listed]


def listing(rows: Iterable[tuple[Any, ...]], where: object) -> Listing:
    """Return what rows of ``COLUMNS`` say of each member, by its place in the tree.

    IntegrityError names ``where`` if no zoo could have these rows.

    >>> row = ("pretraining", "a", None, "0" * 64, "finished", 5, "f" * 64, "pretraining/a/checkpoint_000005")
    >>> listing([row], "example")["pretraining/a"].status
    'finished'
    """
    found: Listing = {}
    digests: dict[str, dict[int, str]] = {}
    names: dict[str, str] = {}
    for stage, member, parent, id, status, epoch, sha256, path in rows:
        place = _place(stage, member, parent)
        if place is None or path != f"{place}/{checkpoint_name(epoch)}" or not SHA256.fullmatch(sha256):
            raise IntegrityError(f"{where} speaks of a checkpoint {str(path)[:160]!r}, which no zoo can have.")
        known = found.setdefault(place, Listed(id, status, digests.setdefault(place, {})))
        one = names.setdefault(member.casefold(), place) == place and epoch not in known.digests
        if not one or (known.id, known.status) != (id, status) or not _is_known(id, status):
            raise IntegrityError(f"{where} speaks of the member {member!r} in ways that do not go together.")
        digests[place][epoch] = sha256
    return found


def _place(stage: Any, member: Any, parent: Any) -> str | None:
    """The member's place in the tree, ``None`` if it can have none."""
    if stage not in STAGES or not is_name(member) or (parent is not None) != (stage == FINETUNING):
        return None
    if parent is None:
        return f"{stage}/{member}"
    return f"{stage}/{parent}/{member}" if is_name(parent) else None


def _is_known(id: Any, status: Any) -> bool:
    return isinstance(id, str) and SHA256.fullmatch(id) is not None and status in STATUSES

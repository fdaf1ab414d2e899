"""Who came from whom: the parents that configs, cards and tables name, found among the members."""

from collections.abc import Sequence

from vitzoo.sharing.importing.layouts.folder.members import Member
from vitzoo.sharing.importing.layouts.folder.numbering import label_of
from vitzoo.sharing.importing.tables.matching import Places


def connect(members: Sequence[Member], places: Places) -> list[Member]:
    """Name the parents of members and return the members so that parents come before their children.

    A text that means several members names the first, and the others as rivals: the weights decide. One that means none
    stays a hint. Members whose record goes in a circle have no parent.
    """
    by_key = {member.found.key: member for member in members}
    for member in members:
        if member.found.parent_hint:
            _find(member, member.found.parent_hint, by_key, places)
    for circle in _circles(by_key):
        for key in circle:
            by_key[key].found.parent = by_key[key].found.parent_epoch = None
            by_key[key].found.notes.append("its record of parents goes in a circle, so it counts for nothing")
    return sorted(members, key=lambda member: (_generation(member, by_key), member.found.key))


def _find(member: Member, text: str, by_key: dict[str, Member], places: Places) -> None:
    found = member.found
    keys, number = places.find(text, member.parent_of_hub), None
    if not keys:
        front, _, end = text.strip().rstrip("/").replace("\\", "/").rpartition("/")
        if front and (label := label_of(end.partition(".")[0])):  # it names a checkpoint of its parent
            keys, number = places.find(front), label.number
    if found.key in keys:  # a copy saved again calls itself its parent
        keys.remove(found.key)
        if not keys:
            found.parent_hint, found.stage = None, "pretraining"
            return
    if not keys:
        return
    found.parent, *rivals = keys
    found.rivals = tuple(rivals)
    if number is not None:
        found.parent_epoch = by_key[found.parent].of_number.get(number)


def _circles(by_key: dict[str, Member]) -> list[list[str]]:
    circles, safe = [], set()
    for start in by_key:
        walked: dict[str, None] = {}
        key: str | None = start
        while key is not None and key not in safe and key not in walked:
            walked[key] = None
            key = by_key[key].found.parent
        if key in walked:
            way = list(walked)
            circles.append(way[way.index(key) :])
        safe |= set(walked)
    return circles


def _generation(member: Member, by_key: dict[str, Member]) -> int:
    """How many ancestors a member has here."""
    generation, key = 0, member.found.parent
    while key is not None:
        generation, key = generation + 1, by_key[key].found.parent
    return generation

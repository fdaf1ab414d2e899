"""What a config says of a member that was trained elsewhere: where it comes from, what was declared, which epochs came.

Its recipe has the factors that took effect, as far as they are known; what its source said, word for word, stays apart.
"""

import itertools
from typing import Any

KEYS = ("layout", "key", "name", "declared", "epochs", "notes")


def make(
    layout: str, key: str, name: str, declared: dict[str, Any], epochs: list[int], notes: list[str]
) -> dict[str, Any]:
    """Return what a config says of an imported member; ``key`` is its place and ``name`` its name at the source."""
    return {"layout": layout, "key": key, "name": name, "declared": declared, "epochs": epochs, "notes": notes}


def is_imported(value: Any) -> bool:
    """Say whether a value has the form of a config's ``imported``: its epochs rise, there is at least one."""
    if not isinstance(value, dict) or set(value) != set(KEYS) or not isinstance(value["declared"], dict):
        return False
    epochs, notes = value["epochs"], value["notes"]
    return (
        all(isinstance(value[key], str) for key in ("layout", "key", "name"))
        and isinstance(notes, list)
        and all(isinstance(note, str) for note in notes)
        and isinstance(epochs, list)
        and len(epochs) > 0
        and all(type(epoch) is int and 0 <= epoch < 10**9 for epoch in epochs)
        and all(a < b for a, b in itertools.pairwise(epochs))
    )

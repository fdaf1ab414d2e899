"""Names of imported members: as at the source, made into what a zoo allows, and different from each other."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from vitzoo.sharing.importing.survey import Found
from vitzoo.zoo.layout import is_name

_OTHER = re.compile(r"[^A-Za-z0-9._=+-]+", re.ASCII)
LONGEST = 110  # leaves room for what tells two apart


def names(members: Sequence[Found]) -> dict[str, str]:
    """Name the members by key. Those whose names are alike, also in case, get a part of their key's hash.

    >>> names([Found("a/x y", "x y", "pretraining", {}), Found("b/z", "z", "pretraining", {})])
    {'a/x y': 'x-y', 'b/z': 'z'}
    """
    cleaned = {found.key: _clean(found.name) for found in members}
    often = Counter(name.casefold() for name in cleaned.values())
    return {
        key: name if is_name(name) and often[name.casefold()] == 1 else f"{name}-{_digest(key)}"
        for key, name in cleaned.items()
    }


def _clean(name: str) -> str:
    return _OTHER.sub("-", name).strip("-.")[:LONGEST].rstrip(".") or "member"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:8]

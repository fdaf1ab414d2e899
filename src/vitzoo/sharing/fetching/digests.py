"""Hashes of files."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from threading import Event

from vitzoo.sharing.fetching.patience import Stopped
from vitzoo.sharing.fetching.source import Digest

BLOCK = 1 << 20


def of_file(path: Path, algorithm: str, stop: Event, tell: Callable[[int], None] = lambda amount: None) -> Digest:
    """Hash a file; ``git`` is the SHA-1 of a blob with these bytes."""
    state = hashlib.sha1(usedforsecurity=False) if algorithm == "git" else hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        if algorithm == "git":
            state.update(b"blob %d\0" % path.stat().st_size)
        while block := file.read(BLOCK):
            state.update(block)
            tell(len(block))
            if stop.is_set():
                raise Stopped
    return Digest(algorithm, state.hexdigest())

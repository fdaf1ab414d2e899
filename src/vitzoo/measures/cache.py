"""Measured results on disk, in ``ZOO/measures``: one file per checkpoint (or set of them), written by one rename.

Losing a cache loses time only, so writes are not synced; a file that cannot be read counts as not there.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo import safetensors_io
from vitzoo.zoo.layout import MEASURES, STAGING
from vitzoo.zoo.strict_json import parse

if TYPE_CHECKING:
    import numpy as np

    from vitzoo.zoo import Zoo

Arrays = dict[str, "np.ndarray"]
ABOUT = "about.json"


class Cache:
    """Results of one measure under one choice of settings: named arrays under a key of 64 hexadecimal digits.

    ``kind`` names the measure, ``version`` its definition: raise it when the numbers change. ``settings`` is plain
    JSON data that the result depends on besides the checkpoint; it is stored beside the results for people.
    """

    def __init__(self, zoo: "Zoo", kind: str, version: int, settings: Mapping[str, Any] | None = None) -> None:
        self.settings = dict(settings or {})
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()
        self.path = zoo.path / MEASURES / f"{kind}-v{version}" / digest[:16]
        self.stored = True  # whether results could be written so far

    @staticmethod
    def known(zoo: "Zoo", kind: str, version: int, settings: Mapping[str, Any], field: str) -> list[Any]:
        """Return the values of one setting under which results are stored, all others being equal; the newest last."""
        wanted = {name: value for name, value in settings.items() if name != field}
        found = []
        for path in (zoo.path / MEASURES / f"{kind}-v{version}").glob(f"*/{ABOUT}"):
            try:
                stored, written = parse(path.read_bytes(), path), path.stat().st_mtime_ns
            except (IntegrityError, OSError):
                continue
            if (
                isinstance(stored, dict)
                and field in stored
                and {k: v for k, v in stored.items() if k != field} == wanted
            ):
                found.append((written, stored[field]))
        return [value for _, value in sorted(found)]

    def get(self, key: str, names: Iterable[str] | None = None) -> "Arrays | None":
        """Return the named arrays (default: all) of a key, or ``None`` if they are not there or not readable."""
        path = self._file(key)
        if not path.is_file():
            return None
        try:
            return safetensors_io.read(path, names)
        except (IntegrityError, InputError, OSError):  # InputError: it lacks a name
            return None

    def has(self, key: str) -> bool:
        """Say whether something is stored under a key."""
        return self._file(key).is_file()

    def put(self, key: str, arrays: Mapping[str, Any]) -> None:
        """Store arrays under a key. If the zoo cannot be written to, nothing is stored and ``stored`` becomes false."""
        import numpy as np
        from safetensors.numpy import save

        path = self._file(key)
        data = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            about = self.path / ABOUT
            if not about.exists():
                _replace(about, json.dumps(self.settings, indent=1, sort_keys=True).encode() + b"\n")
            _replace(path, data)
        except OSError:
            self.stored = False

    def _file(self, key: str) -> Path:
        return self.path / key[:2] / f"{key}.safetensors"


def joint_key(keys: Iterable[str]) -> str:
    """Return the key of a result over several checkpoints, in this order.

    >>> joint_key(["a", "b"]) == joint_key(["b", "a"])
    False
    """
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    staged = path.parent / f"{STAGING}{path.name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        staged.write_bytes(data)
        staged.rename(path)
    finally:
        with suppress(OSError):
            staged.unlink()

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
from vitzoo.zoo import safetensors_io, strict_json
from vitzoo.zoo.layout import MEASURES, SHA256, STAGING

if TYPE_CHECKING:
    import numpy as np

    from vitzoo.zoo import Zoo

Arrays = dict[str, "np.ndarray"]
Shape = tuple[int | None, ...]
ABOUT = "about.json"


class Cache:
    """Results of one measure under one choice of settings: named arrays under a key of 64 hexadecimal digits.

    ``kind`` names the measure, ``version`` its definition: raise it when the numbers change. ``settings`` is plain
    JSON data that the result depends on besides the checkpoint; it is stored beside the results for people.
    """

    def __init__(self, zoo: "Zoo", kind: str, version: int, settings: Mapping[str, Any] | None = None) -> None:
        self.settings = dict(settings or {})
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()
        self.root = zoo.path
        self.path = zoo.path / MEASURES / f"{kind}-v{version}" / digest[:16]

    @staticmethod
    def known(zoo: "Zoo", kind: str, version: int, settings: Mapping[str, Any], field: str) -> list[str]:
        """Return the texts of one setting under which results are stored, all others being equal; the newest last."""
        wanted = {name: value for name, value in settings.items() if name != field}
        found = []
        for path in (zoo.path / MEASURES / f"{kind}-v{version}").glob(f"*/{ABOUT}"):
            try:
                stored, written = strict_json.read(path), path.stat().st_mtime_ns
            except (IntegrityError, OSError):
                continue
            others = {k: v for k, v in stored.items() if k != field} if isinstance(stored, dict) else None
            if others == wanted and isinstance(stored.get(field), str):
                found.append((written, stored[field]))
        return [value for _, value in sorted(found)]

    def get(self, key: str, shapes: "Mapping[str, Shape]") -> "Arrays | None":
        """Return the named arrays of a key, or ``None`` if they are not there, not readable or not of these shapes.

        ``None`` in a shape is any length.
        """
        path = self._file(key)
        if not path.is_file():
            return None
        try:
            there = safetensors_io.read_header(path)  # shapes first: a stranger's file may be any size
            fits = all(name in there and _fits(there[name].shape, shape) for name, shape in shapes.items())
            return safetensors_io.read(path, shapes) if fits else None
        except (IntegrityError, InputError, OSError):
            return None

    def put(self, key: str, arrays: Mapping[str, Any]) -> None:
        """Store arrays under a key, unless the zoo cannot be written to or a link leads out of it."""
        import numpy as np
        from safetensors.numpy import save

        path = self._file(key)
        data = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
        if not path.resolve().is_relative_to(self.root.resolve()):
            return
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            about = self.path / ABOUT
            if not about.exists():
                _replace(about, json.dumps(self.settings, indent=1, sort_keys=True).encode() + b"\n")
            _replace(path, data)

    def _file(self, key: str) -> Path:
        if not SHA256.fullmatch(key):
            raise IntegrityError(
                f"{key[:80]!r} is no digest. Remove catalogue.parquet, which says so; it is made again."
            )
        return self.path / key[:2] / f"{key}.safetensors"


def _fits(found: tuple[int, ...], wanted: "Shape") -> bool:
    return len(found) == len(wanted) and all(want in (None, have) for have, want in zip(found, wanted, strict=True))


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

"""What was read of remote zoos, kept on this machine. It may be deleted at any time.

``<cache>/remote/zoos/<address>/<version>/`` is the tree of a zoo as far as it was read: its version is a hash of
``zoo.json`` and the catalogue, so a zoo that is published again has another. ``<cache>/remote/weights/`` has whole
files under their digests, for all zoos, since those were hashed. Tensors that were read alone could not be, so they
stay with the address they came from: nobody else's zoo can put bytes under a digest.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from vitzoo.errors import VitzooError
from vitzoo.zoo import atomic
from vitzoo.zoo.layout import CATALOGUE, ZOO_JSON
from vitzoo.zoo.remote.place import Place
from vitzoo.zoo.strict_json import MAX_BYTES

LIMITS = {ZOO_JSON: MAX_BYTES, CATALOGUE: 200_000_000}  # bytes; a row of the catalogue takes about 100


def home() -> Path:
    """Return where everything remote is kept: below $VITZOO_CACHE, else ~/.cache/vitzoo."""
    cache = os.environ.get("VITZOO_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "vitzoo").absolute() / "remote"


def weights(sha256: str) -> Path:
    """Return where a whole file of weights is kept, there or not."""
    return home() / "weights" / sha256[:2] / f"{sha256}.safetensors"


def check_room(size: int) -> None:
    """VitzooError if the disk has no room for so many bytes; a server may say any number."""
    place = next(path for path in (home(), *home().parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    if size > free:
        raise VitzooError(f"{place} has {free:,} bytes left and {size:,} are needed. Make room, or set $VITZOO_CACHE.")


def store(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file in one step; nothing is left if ``chunks`` raises. Not synced: what is lost is fetched again."""
    with atomic.storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = atomic.staging_path(path.parent, path.name)
        try:
            with staged.open("xb") as file:
                for chunk in chunks:
                    file.write(chunk)
            staged.rename(path)
        except BaseException:
            with suppress(OSError):
                staged.unlink()
            raise


def arrive(place: Place) -> Path:
    """Return the directory of a zoo as it is now, with ``zoo.json`` and the catalogue in it, as they came, unchecked.

    They are fetched unless the server says that it has the versions that were seen before. Errors as ``Place.read``.
    """
    own = home() / "zoos" / _digest(str(place.address).encode())
    versions = place.versions((*LIMITS,))
    seen = None if None in versions else own / f"seen-{_digest(json.dumps(versions).encode())}"
    if seen is not None and (root := _known(seen)):
        return root
    data = {name: place.read(name, limit) for name, limit in LIMITS.items()}
    root = own / _version(data)
    for name, content in data.items():
        store(root / name, [content])
    if seen is not None and place.versions((*LIMITS,)) == versions:  # not published anew in between
        store(seen, [root.name.encode()])
    return root


def _known(seen: Path) -> Path | None:
    """Return the directory that was made when these versions were seen, if it is as it was."""
    with suppress(OSError, UnicodeDecodeError):
        root = seen.parent / seen.read_text("ascii")
        if root.name == _version({name: (root / name).read_bytes() for name in LIMITS}):
            return root
    return None


def _version(data: Mapping[str, bytes]) -> str:
    return _digest(b"".join(hashlib.sha256(data[name]).digest() for name in LIMITS))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]

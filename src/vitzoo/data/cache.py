"""The cache of decoded images: a directory of .npy files that appears whole or not at all.

It is written into a staging directory and renamed when every byte is on disk. A lock keeps two processes from
decoding the same data at once; the kernel frees it when its owner dies, and the next owner clears what was left.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vitzoo.data.images import Images
from vitzoo.data.sources.base import Part, Raw
from vitzoo.errors import DataError

Progress = Callable[[int, int], None]
_CHUNK = 256  # images decoded at once by a thread
_HASHED = 1 << 26  # bytes hashed at once


def read(folder: Path) -> Images:
    """Map a cached data set into memory. Raises DataError if its files do not fit together."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in meta["shapes"]}
        sound = all(list(arrays[name].shape) == shape for name, shape in meta["shapes"].items())
        y_train, y_test = np.array(arrays["y_train"]), np.array(arrays["y_test"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"the image cache {folder} is damaged ({error}); delete that folder and run again.") from error
    if not sound:
        raise DataError(f"the image cache {folder} is damaged; delete that folder and run again.")
    return Images(arrays["x_train"], y_train, arrays["x_test"], y_test, meta["classes"], meta["fingerprint"])


def write(folder: Path, side: int, source: Callable[[], Raw], progress: Progress | None = None) -> None:
    """Decode a source into ``folder`` unless it exists; safe to kill, and to call from many processes at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = folder.with_name(f".{folder.name}.staging")
    with _locked(folder.with_name(f".{folder.name}.lock")):
        if folder.exists():  # another process was faster
            return
        shutil.rmtree(staging, ignore_errors=True)
        raw = source()
        staging.mkdir()
        try:
            _fill(staging, side, raw, progress or (lambda done, total: None))
            staging.rename(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fill(staging: Path, side: int, raw: Raw, progress: Progress) -> None:
    total, done = len(raw.train.labels) + len(raw.test.labels), 0
    for split, part in (("train", raw.train), ("test", raw.test)):
        np.save(staging / f"y_{split}.npy", part.labels)
        for count in _decode(staging / f"x_{split}.npy", part, side):
            done += count
            progress(done, total)
    names = ("x_train", "y_train", "x_test", "y_test")
    arrays = {name: np.load(staging / f"{name}.npy", mmap_mode="r") for name in names}
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    meta = {"classes": raw.classes, "shapes": shapes, "fingerprint": _fingerprint(arrays)}
    (staging / "meta.json").write_text(json.dumps(meta, indent=1))
    for path in staging.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _decode(path: Path, part: Part, side: int) -> Iterator[int]:
    """Decode into a memory-mapped file, so that memory holds a few chunks only; yields counts as they are done."""
    n = len(part.labels)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, side, side, 3))

    def work(start: int) -> int:
        positions = np.arange(start, min(start + _CHUNK, n))
        out[positions[0] : positions[-1] + 1] = part.decode(positions, side)
        return len(positions)

    # Threads, not processes: Pillow and torch release the interpreter's lock while they decode, resize and render,
    # and a caller's script needs no main guard.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            yield from pool.map(work, range(0, n, _CHUNK))
        finally:
            pool.shutdown(cancel_futures=True)
    out.flush()


def _fingerprint(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        rows = max(1, _HASHED // max(1, array[:1].nbytes))
        for start in range(0, len(array), rows):
            digest.update(np.ascontiguousarray(array[start : start + rows]).data)
    return digest.hexdigest()

"""The image cache appears whole or not at all."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from vitzoo.blueprint.schema import Dataset
from vitzoo.data import cache as store
from vitzoo.data import load
from vitzoo.data.sources.base import Part, Raw
from vitzoo.errors import DataError

_SLOW = """
import sys, time
from pathlib import Path
import numpy as np
from vitzoo.data import cache
from vitzoo.data.sources.base import Part, Raw

def decode(positions, side):
    print("decoding", flush=True)
    time.sleep(60)

part = Part(np.zeros(4, np.int64), decode)
cache.write(Path(sys.argv[1]), 4, lambda: Raw(part, part, 2))
"""


def raw(n=600):
    images = np.random.default_rng(0).integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)
    part = Part(np.arange(n, dtype=np.int64) % 2, lambda positions, side: images[positions])
    return images, Raw(part, part, 2)


def test_round_trip_and_progress(tmp_path):
    images, source = raw()
    seen = []
    store.write(tmp_path / "key", 4, lambda: source, lambda done, total: seen.append((done, total)))
    read = store.read(tmp_path / "key")
    assert np.array_equal(read.x_train, images) and np.array_equal(read.y_test, source.test.labels)
    assert isinstance(read.x_train, np.memmap) and not read.x_train.flags.writeable
    assert seen[-1] == (1200, 1200) and [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(read.fingerprint) == 64


def test_decoded_once_and_same_fingerprint(tmp_path):
    first = load(Dataset(source="digits"), 8, tmp_path, tmp_path / "a")
    (folder,) = (path for path in (tmp_path / "a").iterdir() if path.is_dir())
    before = (folder / "x_train.npy").stat().st_mtime_ns
    spelled = Dataset(source="digits", classes=10, mean=(0.5, 0.5, 0.5))  # other settings, the same bytes
    assert load(spelled, 8, tmp_path, tmp_path / "a").fingerprint == first.fingerprint
    assert (folder / "x_train.npy").stat().st_mtime_ns == before
    assert load(Dataset(source="digits"), 8, tmp_path, tmp_path / "b").fingerprint == first.fingerprint
    assert load(Dataset(source="digits"), 9, tmp_path, tmp_path / "a").fingerprint != first.fingerprint


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path, error):
    images, source = raw()

    def decode(positions, side):
        if positions[0] > 0:
            raise error
        return images[positions]

    with pytest.raises(error):
        store.write(tmp_path / "key", 4, lambda: Raw(source.train, Part(source.test.labels, decode), 2))
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_kill_leaves_no_cache_and_the_next_call_clears_up(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", _SLOW, str(tmp_path / "key")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "decoding\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not (tmp_path / "key").exists()
    start = time.monotonic()
    images, source = raw()
    store.write(tmp_path / "key", 4, lambda: source)
    assert time.monotonic() - start < 20  # the lock died with its owner
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["key"]
    assert np.array_equal(store.read(tmp_path / "key").x_train, images)


@pytest.mark.parametrize("damage", ["truncated", "missing", "meta"])
def test_damage_is_named(tmp_path, damage):
    store.write(tmp_path / "key", 4, lambda: raw()[1])
    if damage == "missing":
        (tmp_path / "key" / "x_test.npy").unlink()
    else:
        path = tmp_path / "key" / ("x_test.npy" if damage == "truncated" else "meta.json")
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"image cache .*key is damaged .*delete that folder"):
        store.read(tmp_path / "key")

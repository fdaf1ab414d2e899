"""Packing mosaics, and real images where they are at hand."""

import io
import json
import runpy
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="module")
def pack():
    return runpy.run_path(str(REPOSITORY / "benchmarks" / "pack_mosaic.py"))["main"]


def mosaic(path, test_name):
    """Two classes of 4×4 tiles, three columns, five and two images."""
    images = np.random.default_rng(0).integers(0, 256, (14, 4, 4, 3), dtype=np.uint8)
    index = {"size": 4, "cols": 3, "classes": ["a", "b"], "splits": {"train": [], test_name: []}}
    with zipfile.ZipFile(path, "w") as archive:
        for split, n, start in (("train", 5, 0), (test_name, 2, 10)):
            for label in range(2):
                rows = -(-n // 3)
                grid = np.zeros((rows * 3, 4, 4, 3), np.uint8)
                grid[:n] = images[start + label * n : start + (label + 1) * n]
                picture = grid.reshape(rows, 3, 4, 4, 3).swapaxes(1, 2).reshape(rows * 4, 12, 3)
                blob = io.BytesIO()
                Image.fromarray(picture).save(blob, "png")
                archive.writestr(f"{split}{label}.png", blob.getvalue())
                index["splits"][split].append({"file": f"{split}{label}.png", "class": label, "n": n})
        archive.writestr("index.json", json.dumps(index))
    return images


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_packing(tmp_path, root, opened, pack, test_name):
    images = mosaic(tmp_path / "in.zip", test_name)
    pack([str(tmp_path / "in.zip"), str(root / "out.npz")])
    read = opened("npz:out.npz", 4, classes=2)
    assert np.array_equal(read.x_train, images[:10]) and np.array_equal(read.x_test, images[10:])
    assert read.y_train.tolist() == [0] * 5 + [1] * 5 and read.y_test.tolist() == [0, 0, 1, 1]


def test_packing_parts(tmp_path, root, opened, pack):
    mosaic(tmp_path / "a.zip", "val")
    mosaic(tmp_path / "b.zip", "test")
    pack([str(tmp_path / "a.zip"), str(tmp_path / "b.zip"), str(root / "out.npz")])
    assert len(opened("npz:out.npz", 4, classes=2).x_train) == 20


def test_packing_needs_two_arguments(pack):
    with pytest.raises(SystemExit, match="Usage"):
        pack(["out.npz"])


def test_real_images(root, opened, pack):
    source = SHARED / "fixture_clothing32_cc0.zip"
    if not source.exists():
        pytest.skip("the shared development images are not on this machine")
    pack([str(source), str(root / "clothing.npz")])
    images = opened("npz:clothing.npz", 32, classes=10)
    assert images.x_train.shape == (480, 32, 32, 3) and np.bincount(images.y_test).tolist() == [12] * 10
    flat = [x.reshape(len(x), -1).astype(float) for x in (images.x_test, images.x_train)]
    distance = (flat[0] ** 2).sum(1)[:, None] - 2 * flat[0] @ flat[1].T + (flat[1] ** 2).sum(1)
    assert (images.y_train[distance.argmin(1)] == images.y_test).mean() > 0.2  # chance is 0.1

"""Every source reads its official layout and says clearly what is wrong with anything else."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from vitzoo.data.sources import PLAIN, WITH_PATH, find
from vitzoo.errors import DataError


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def picture(path: Path, height: int, width: int, level: int | None = None) -> None:
    """Write an image of noise, or of one grey level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = noise(height, width, 3) if level is None else np.full((height, width, 3), level, np.uint8)
    Image.fromarray(pixels).save(path)


def test_digits_are_split_evenly(opened):
    images = opened("digits")
    assert images.x_train.shape == (1437, 16, 16, 3) and images.x_test.shape == (360, 16, 16, 3)
    assert np.bincount(images.y_test).tolist() == [36] * 10
    assert images.x_train.dtype == np.uint8 and images.y_train.dtype == np.int64
    assert images.x_train.max() == 255 and np.ptp(images.x_train, axis=-1).max() == 0
    plain = opened("digits", 8).x_train[..., 0]  # 17 grey levels at the original size
    assert set(np.unique(plain)) == {round(level * 255 / 16) for level in range(17)}


def test_limits_are_balanced_and_nested(opened):
    whole, some = opened("digits"), opened("digits", train_limit=50, test_limit=20)
    assert np.bincount(some.y_train).tolist() == [5] * 10 and np.bincount(some.y_test).tolist() == [2] * 10
    more = opened("digits", train_limit=60)
    rows = {image.tobytes() for image in more.x_train}
    assert {image.tobytes() for image in some.x_train} < rows < {image.tobytes() for image in whole.x_train}
    with pytest.raises(DataError, match=r"train_limit is 2000, but there are only 1437"):
        opened("digits", train_limit=2000)


def npz(path, **changes):
    arrays = {"x_train": noise(6, 10, 10, 3), "y_train": np.arange(6) % 3}
    arrays |= {"x_test": noise(3, 10, 10, 3), "y_test": np.arange(3)} | changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})


def test_npz_passes_images_through(opened, root):
    npz(root / "mine.npz")
    images = opened("npz:mine.npz", classes=3)
    assert np.array_equal(images.x_train, noise(6, 10, 10, 3)) and images.classes == 3
    assert opened("npz:mine.npz", 4, classes=3).side == 4  # at most image_size·8/7
    assert opened("npz:mine.npz", 4, classes=3, cache_size=7).side == 7


def test_npz_that_changed_is_read_again(opened, root):
    npz(root / "mine.npz")
    before = opened("npz:mine.npz", classes=3)
    npz(root / "mine.npz", x_test=noise(3, 10, 10, 3) // 2)
    assert opened("npz:mine.npz", classes=3).fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, r"lacks y_test; it must hold x_train and x_test"),
        ({"x_train": None}, r"x_train cannot be read .* must hold"),
        ({"x_train": noise(6, 10, 10, 3) / 255}, r"x_train is float64 \[6, 10, 10, 3\], expected uint8 \[N, H, W, 3\]"),
        ({"x_test": noise(3, 3, 10, 10)}, r"x_test is uint8 \[3, 3, 10, 10\], expected uint8"),
        ({"y_train": np.arange(5)}, r"y_train is int64 \[5\], expected integers \[6\]"),
        ({"y_train": np.zeros(6)}, r"y_train is float64 \[6\], expected integers"),
        ({"y_train": np.arange(6)}, r"y_train is from 0 to 5, expected labels from 0 to 2"),
        ({"y_test": np.array([0, 1, -1])}, r"y_test is from -1 to 1, expected labels from 0 to 2"),
        ({"y_test": np.array([0, 1, None])}, r"cannot be read as an .npz file of plain arrays"),
    ],
)
def test_npz_errors_name_key_found_and_expected(opened, root, changes, message):
    npz(root / "mine.npz", **changes)
    with pytest.raises(DataError, match=message):
        opened("npz:mine.npz", classes=3)


def test_npz_that_is_none(opened, root):
    (root / "mine.npz").write_text("not a zip file")
    with pytest.raises(DataError, match="cannot be read"):
        opened("npz:mine.npz", classes=3)


def test_folder_sorts_classes_and_crops_the_centre(opened, root):
    for level, name in enumerate(["ant", "bee"]):
        for split in ("train", "val"):
            picture(root / "mine" / split / name / "1.png", 20, 30, 100 * level)
            picture(root / "mine" / split / name / "2.JPG", 18, 12, 100 * level)
    (root / "mine" / "train" / "ant" / "notes.txt").write_text("not an image")
    images = opened("folder:mine", 16, classes=2)
    assert images.x_train.shape == (4, 18, 18, 3) and images.y_train.tolist() == [0, 0, 1, 1]
    assert images.x_train.mean((1, 2, 3)).round().tolist() == [0, 0, 100, 100]
    assert opened("folder:mine", 28, classes=2).side == 20  # the first image's own
    picture(root / "mine" / "train" / "ant" / "3.png", 20, 20)
    assert len(opened("folder:mine", 16, classes=2).x_train) == 5


def test_folder_errors(opened, root):
    with pytest.raises(DataError, match=r"put the images into train/<class>/ and test/<class>/"):
        opened("folder:mine", classes=2)
    for split, name in (("train", "ant"), ("test", "bee")):
        picture(root / "mine" / split / name / "1.png", 8, 8)
    with pytest.raises(DataError, match=r"classes that .* lacks: bee"):
        opened("folder:mine", classes=2)
    picture(root / "mine" / "train" / "bee" / "1.png", 8, 8)
    with pytest.raises(DataError, match="has 2 classes, expected 3"):
        opened("folder:mine", classes=3)
    (root / "mine" / "train" / "bee" / "broken.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"cannot decode the image .*broken\.png"):
        opened("folder:mine", classes=2)


def tiny(root, classes=200):
    wnids = [f"n{number:08d}" for number in range(classes)]
    for wnid in wnids:
        picture(root / "tiny-imagenet-200" / "train" / wnid / "images" / f"{wnid}_0.JPEG", 64, 64, 10)
    folder = root / "tiny-imagenet-200" / "val"
    rows = []
    for number in range(4):
        picture(folder / "images" / f"val_{number}.JPEG", 64, 64, 200)
        rows.append(f"val_{number}.JPEG\t{wnids[-1 - number]}\t0\t0\t63\t63\n")
    (folder / "val_annotations.txt").write_text("".join(rows))
    return folder / "val_annotations.txt"


def test_tiny_imagenet_reads_the_official_layout(opened, root):
    with pytest.raises(DataError, match=r"unpack the official tiny-imagenet-200.zip there"):
        opened("tiny-imagenet", 32)
    notes = tiny(root)
    images = opened("tiny-imagenet", 64)
    assert images.x_train.shape == (200, 64, 64, 3) and images.y_train.tolist() == list(range(200))
    assert images.y_test.tolist() == [199, 198, 197, 196] and images.x_test.mean() == 200
    notes.write_text("val_0.JPEG\tn99999999\n")
    with pytest.raises(DataError, match="is not a list of 'image<tab>wnid…'"):
        opened("tiny-imagenet", 32)


def test_tiny_imagenet_must_be_whole(opened, root):
    tiny(root, 4)
    with pytest.raises(DataError, match="has 4 classes, expected 200"):
        opened("tiny-imagenet", 32)


def test_imagenet_reads_folders_of_wnids(opened, root):
    with pytest.raises(DataError, match=r"unpack ILSVRC2012 there as train/<wnid>"):
        opened("imagenet", 16)
    for number in range(1000):
        for split in ("train", "val"):
            picture(root / "imagenet" / split / f"n{number:08d}" / "1.JPEG", 24, 20, number % 256)
    images = opened("imagenet", 14)
    assert images.x_train.shape == (1000, 16, 16, 3) and images.y_test.tolist() == list(range(1000))
    assert images.x_test[77].mean() == 77


def cifar(root, monkeypatch, kind, label, names, per_file):
    """Write an official CIFAR folder and put its checksums in place of the real ones."""
    folder = root / kind.base_folder
    folder.mkdir()

    def write(name, content):
        blob = pickle.dumps(content)
        (folder / name).write_bytes(blob)
        return name, hashlib.md5(blob).hexdigest()

    rows = noise(per_file, 3072)
    batch = {"data": rows, label: [number % 3 for number in range(per_file)]}
    monkeypatch.setattr(kind, "train_list", [write(name, batch) for name in names])
    monkeypatch.setattr(kind, "test_list", [write("test_batch", batch)])
    key = kind.meta["key"]
    filename, md5 = write("meta", {key: ["a", "b", "c"]})
    monkeypatch.setattr(kind, "meta", {"filename": filename, "key": key, "md5": md5})
    return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("source", "kind", "label", "names"),
    [
        ("cifar10", datasets.CIFAR10, "labels", ["data_batch_1", "data_batch_2"]),
        ("cifar100", datasets.CIFAR100, "fine_labels", ["train"]),
    ],
)
def test_cifar_reads_the_official_layout(opened, root, monkeypatch, source, kind, label, names):
    with pytest.raises(DataError, match=rf"an intact {kind.__name__} is not at .*{kind.base_folder}: unpack"):
        opened(source, 32)
    expected = cifar(root, monkeypatch, kind, label, names, 6)
    images = opened(source, 32)
    assert len(images.x_train) == 6 * len(names) and np.array_equal(images.x_test, expected)
    assert images.y_test.tolist() == [0, 1, 2, 0, 1, 2] and images.classes == int(source[5:])
    assert opened(source, 224).side == 32 and opened(source, 16).side == 18
    (root / kind.base_folder / "test_batch").write_bytes(b"damaged")
    with pytest.raises(DataError, match="an intact"):
        opened(source, 32, train_limit=6)


def test_missing_files_and_unknown_sources(opened):
    with pytest.raises(DataError, match=r"the data file is not at .*mine\.npz: put an \.npz file there that holds"):
        opened("npz:mine.npz", classes=3)
    with pytest.raises(DataError, match=r"there is no data source 'digit'.*Did you mean 'digits'\?"):
        find("digit")
    with pytest.raises(DataError, match="there is no data source 'npz:'"):
        find("npz:")


def test_the_blueprint_knows_the_same_sources():
    from vitzoo.blueprint import sources

    assert {*sources.CLASSES, "fractals"} == set(PLAIN)
    assert {prefix.rstrip(":") for prefix in sources.PREFIXES} == set(WITH_PATH)


def test_grey_and_palette_files_become_rgb(opened, root):
    for split in ("train", "test"):
        (root / "mine" / split / "a").mkdir(parents=True)
        Image.new("P", (8, 8), 3).save(root / "mine" / split / "a" / "1.png")
        Image.new("LA", (8, 8), (7, 255)).save(root / "mine" / split / "a" / "2.png")
        (root / "mine" / split / "b").mkdir()
        Image.new("L", (8, 8), 9).save(root / "mine" / split / "b" / "1.png")
    images = opened("folder:mine", 8, classes=2)
    assert images.x_train[1].mean() == 7 and images.x_train[2].mean() == 9

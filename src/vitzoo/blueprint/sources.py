"""Facts about the image sources a blueprint can name, without reading an image: classes and counts."""

from typing import TYPE_CHECKING, Literal

from vitzoo.errors import nearest

if TYPE_CHECKING:
    from vitzoo.blueprint.schema import Dataset

Split = Literal["train", "test"]

#: Number of classes of the sources that have a fixed one.
CLASSES = {"digits": 10, "cifar10": 10, "cifar100": 100, "imagenet": 1000, "tiny-imagenet": 200}

#: Number of (training, test) images. ``digits`` is a fixed stratified split of scikit-learn's 1,797 images; the
#: others are the official splits, where the validation images serve as test images if the test labels are secret.
IMAGES = {
    "digits": (1437, 360),
    "cifar10": (50_000, 10_000),
    "cifar100": (50_000, 10_000),
    "imagenet": (1_281_167, 50_000),
    "tiny-imagenet": (100_000, 10_000),
}

#: Sources that read the user's own files: the path follows the colon.
PREFIXES = ("folder:", "npz:")

EXPECTED = "digits, fractals, cifar10, cifar100, imagenet, tiny-imagenet, folder:PATH or npz:PATH"


def is_known(source: str) -> bool:
    """Tell whether ``source`` names a shipped source, or is a path behind ``folder:`` or ``npz:``.

    >>> is_known("digits"), is_known("folder:birds"), is_known("folder:")
    (True, True, False)
    """
    has_path = any(source.startswith(prefix) and len(source) > len(prefix) for prefix in PREFIXES)
    return source in CLASSES or source == "fractals" or has_path


def hint(source: str) -> str:
    """Return a sentence with the nearest known source, or an empty string."""
    return nearest(source, [*CLASSES, "fractals"])


def classes(dataset: "Dataset") -> int:
    """Number of classes of a data set."""
    if dataset.fractals is not None:
        return dataset.fractals.classes
    known = CLASSES.get(dataset.source, dataset.classes)
    assert known is not None, "a valid data set has a known number of classes"
    return known


def available(dataset: "Dataset", split: Split) -> int | None:
    """Number of images the source holds, or ``None`` where only the files know."""
    if fractals := dataset.fractals:
        return fractals.classes * (fractals.train_per_class if split == "train" else fractals.test_per_class)
    counts = IMAGES.get(dataset.source)
    return counts[split == "test"] if counts else None


def images(dataset: "Dataset", split: Split) -> int | None:
    """Number of images used in a split: those available, at most the limit; ``None`` if unknown.

    >>> from vitzoo.blueprint.schema import Dataset
    >>> images(Dataset(source="digits"), "train"), images(Dataset(source="digits", test_limit=50), "test")
    (1437, 50)
    """
    limit = dataset.train_limit if split == "train" else dataset.test_limit
    counts = [count for count in (available(dataset, split), limit) if count is not None]
    return min(counts) if counts else None

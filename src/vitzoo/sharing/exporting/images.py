"""How a member's images are prepared, in words that other libraries know: resize the shorter side, cut the centre.

``data.load`` and ``data.pipeline`` do it in two steps, the first when a data set is cached; together they are one
resize for all sources whose side is known, and for any picture that is not smaller than what is kept of it.
"""

from collections.abc import Mapping
from typing import Any

# Sides of the images that a source gives, pixels; None: it makes them as large as they are asked for.
SIDES = {"digits": None, "fractals": None, "cifar10": 32, "cifar100": 32, "tiny-imagenet": 64}


def resized(recipe: Mapping[str, Any], image_size: int) -> int:
    """Return the side to which images are resized before the centre is cut, pixels, at least ``image_size``.

    Of ImageNet, of a folder and of an npz the side of the images is not known; they are taken to be large.

    >>> resized({"dataset": {"source": "cifar10"}}, 224), resized({"dataset": {"source": "imagenet"}}, 224)
    (224, 256)
    >>> resized({"dataset": {"source": "cifar10"}, "augmentation": {"crop": {"kind": "random", "resize": 256}}}, 224)
    256
    """
    crop = _group(_group(recipe, "augmentation"), "crop")
    wish = crop.get("resize")
    if crop.get("kind") == "random" and type(wish) is int and image_size <= wish <= 8 * image_size:
        return wish
    return max(image_size, min(_given(_group(recipe, "dataset"), image_size), int(image_size * 8 / 7)))


def _given(dataset: Mapping[str, Any], image_size: int) -> int:
    """Return the side of the images that a model's pipeline is given."""
    kept, source = dataset.get("cache_size"), str(dataset.get("source"))
    if type(kept) is int:
        return kept
    return (SIDES[source] or image_size) if source in SIDES else 8 * image_size


def _group(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def crop_share(resized: int, image_size: int) -> float:
    """Return timm's ``crop_pct``, from which timm computes back floor(image_size / crop_pct).

    >>> crop_share(16, 16), crop_share(256, 224), int(16 / crop_share(18, 16))
    (1.0, 0.875, 18)
    """
    share = image_size / resized
    return share if int(image_size / share) == resized else image_size / (resized + 0.5)

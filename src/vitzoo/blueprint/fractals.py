"""What a blueprint leaves out of its fractals: resolved from the size of the images before a recipe is made.

``dataset: fractals`` alone is a whole data set: as many classes and images as the data set that is customary at that
size, enough points to fill the picture, and drawn on the fly where a cache would be large.
"""

from vitzoo.blueprint import sources
from vitzoo.blueprint.fields import validate
from vitzoo.blueprint.schema import Dataset, Fractals
from vitzoo.errors import BlueprintError

#: From which size on: classes, and training and test images of each; as in ImageNet, Tiny ImageNet and nano.
CUSTOMARY = ((64, (1000, 1281, 50)), (32, (200, 500, 50)), (0, (40, 100, 20)))
#: Bytes of decoded images above which they are drawn on the fly; below, they fit on a device.
LARGE = 8 << 30


def resolve(dataset: Dataset, image_size: int, where: str = "dataset") -> Dataset:
    """Return the data set with its fractals complete; other sources, and what is complete, are as before.

    ``image_size`` is what the model sees; ``where`` names the data set in errors. BlueprintError if a setting that
    follows from others is out of range, or if images are to be live but not of the size that is read.

    >>> found = resolve(Dataset(source="fractals"), 224)
    >>> found.fractals.classes, sources.images(found, "train"), found.fractals.points, found.fractals.live
    (1000, 1281000, 20070, True)
    >>> resolve(Dataset(source="fractals"), 32).fractals.live
    False
    """
    if dataset.source != "fractals":
        return dataset
    asked = dataset.fractals or Fractals.model_construct()
    side = dataset.cache_size or image_size
    given = {name: value for name in Fractals.model_fields if (value := getattr(asked, name)) is not None}
    complete = validate(Fractals, _customary(dataset, given.get("size", side)) | given, f"{where}.fractals")
    live = complete.live
    if live is None:
        live = complete.size == side and _bytes(dataset.model_copy(update={"fractals": complete})) > LARGE
    if live and complete.size != side:
        raise BlueprintError(
            f"{where}.fractals.live is true, but size is {complete.size} and images are read at {side}; expected "
            f"size {side}, or no size at all, because images that are drawn on the fly are not resized."
        )
    return dataset.model_copy(update={"fractals": complete.model_copy(update={"live": live})})


def _customary(dataset: Dataset, size: int) -> dict[str, int]:
    classes, train, test = next(counts for least, counts in CUSTOMARY if size >= least)
    return {
        "classes": dataset.classes or classes,
        "train_per_class": train,
        "test_per_class": test,
        "size": size,
        # Small pictures need more points a pixel than large ones to show the same outline.
        "points": max(125 * size // 2, 2 * size * size // 5),
    }


def _bytes(dataset: Dataset) -> int:
    assert dataset.fractals is not None
    images = sum(sources.images(dataset, split) or 0 for split in ("train", "test"))
    return images * 3 * dataset.fractals.size**2

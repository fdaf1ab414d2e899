"""How images are prepared, as exports say it: timm and transformers make of a picture what the zoo made of it."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from exportable import MEAN, STD, backbone, config, empty, grow
from PIL import Image
from transformers import AutoImageProcessor

from vitzoo.blueprint.schema import Augmentation, Dataset, Hyperparameters
from vitzoo.data.decode import fit_arrays
from vitzoo.data.pipeline import Pipeline
from vitzoo.data.sources import find
from vitzoo.data.sources.base import Request
from vitzoo.sharing.exporting.images import SIDES, resized
from vitzoo.sharing.exporting.run import export

# source, side of its pictures, image_size, crop.resize
CASES = [
    ("cifar10", 32, 8, None),  # reduced, then cut
    ("cifar100", 32, 30, None),  # cut only
    ("cifar10", 32, 32, None),  # as it is
    ("cifar100", 32, 40, None),  # enlarged
    ("cifar100", 32, 56, 64),  # as the paper fine-tunes: enlarged beyond the size, then cut
    ("tiny-imagenet", 64, 56, None),
    ("imagenet", 90, 56, None),
    ("folder:birds", 300, 56, None),
]


def recipe(source: str, resize: int | None) -> dict:
    crop = {"kind": "random", "padding": 0, "resize": resize} if resize else None
    return {"dataset": {"source": source}, "augmentation": {"crop": crop}}


def picture(side: int) -> np.ndarray:
    """A smooth picture with edges: where resizing or cutting differs, so do its pixels."""
    x, y = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side))
    channels = [np.sin(9 * x + 5 * y), np.cos(7 * y), (x > 0.37) * (y > 0.58) * 1.0]
    return np.uint8(np.stack([np.clip(127 + 120 * c, 0, 255) for c in channels], axis=-1))


def as_the_zoo(source: str, image: np.ndarray, size: int, resize: int | None) -> torch.Tensor:
    """Decode into the cache and evaluate, as growing does."""
    classes = 3 if ":" in source else None
    dataset = Dataset.model_validate({"source": source, "classes": classes, "mean": MEAN, "std": STD})
    augmentation = Augmentation.model_validate(recipe(source, resize)["augmentation"])
    hyper = Hyperparameters.model_validate({"seed": 1, "epochs": 1, "batch_size": 2, "lr": 0.1})
    origin, argument = find(source)
    # A folder is asked for its files' sizes; it keeps them as ImageNet does.
    side = (find("imagenet")[0] if argument else origin).side(Request(dataset, argument, size, Path(), False))
    kept = fit_arrays(image[None], side)
    return Pipeline(augmentation, hyper, dataset, size, 10).eval_batch(torch.from_numpy(kept.copy()).movedim(-1, 1))[0]


@pytest.mark.parametrize(("source", "side", "size", "resize"), CASES)
def test_timm_and_transformers_prepare_a_picture_as_the_zoo_does(
    tmp_path: Path, source: str, side: int, size: int, resize: int | None
) -> None:
    zoo = empty(tmp_path / "zoo")
    arch = backbone(image_size=size, patch_size=2)
    about = config("one", arch, epochs=1)
    about["recipe"] |= recipe(source, resize)
    grow(zoo.add_member(about), arch)
    expected = as_the_zoo(source, picture(side), size, resize)
    image = Image.fromarray(picture(side))

    processor = AutoImageProcessor.from_pretrained(export(zoo, "huggingface", tmp_path / "huggingface").out / "one")
    theirs = processor(image, return_tensors="pt").pixel_values[0]
    model = timm.create_model(f"local-dir:{export(zoo, 'timm', tmp_path / 'timm').out}/one", pretrained=True)
    transform = timm.data.create_transform(**timm.data.resolve_data_config(model=model))
    for found in (theirs, transform(image)):
        # All round to bytes between steps, at different ones; a pixel's place or another size shows far beyond that.
        apart = (found - expected).abs() * torch.tensor(STD).view(3, 1, 1) * 255
        assert found.shape == (3, size, size)
        assert apart.max() < 6, apart.max()
        assert apart.mean() < 0.6, apart.mean()


def test_the_sides_are_those_of_the_sources() -> None:
    for source, side in SIDES.items():
        for size in (8, 30, 64, 224):
            dataset = Dataset.model_validate({"source": source})
            kept = find(source)[0].side(Request(dataset, "", size, Path(), False))
            assert kept == (min(side, int(size * 8 / 7)) if side else size)


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"dataset": None, "augmentation": []},
        {"dataset": {"source": ["x"], "cache_size": "large"}},
        {"augmentation": {"crop": {"kind": "random", "resize": 10**9}}},
        {"augmentation": {"crop": {"kind": "random", "resize": -1}}},
    ],
)
def test_of_a_recipe_that_says_nothing_sound_images_are_taken_to_be_large(damaged: dict) -> None:
    assert resized(damaged, 56) == 64

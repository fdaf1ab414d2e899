"""Fractals drawn on the fly: the images that the cache would hold, wherever and whenever they are drawn."""

import numpy as np
import pytest
import torch

from vitzoo import rng
from vitzoo.blueprint.schema import Dataset, Fractals
from vitzoo.data.device import DeviceSplit
from vitzoo.data.live import LiveImages
from vitzoo.data.load import load
from vitzoo.data.sources import fractals, render
from vitzoo.errors import BlueprintError

SMALL = {"classes": 7, "train_per_class": 11, "test_per_class": 3, "size": 16, "points": 700}


def opened(tmp_path, live: bool, image_size: int = 16, **settings):
    dataset = Dataset(source="fractals", fractals=Fractals(**SMALL, live=live), **settings)
    return load(dataset, image_size, tmp_path, tmp_path / "cache")


@pytest.mark.parametrize("limits", [{}, {"train_limit": 20, "test_limit": 9}])
def test_live_images_are_the_cached_ones(tmp_path, limits):
    kept, live = opened(tmp_path, False, **limits), opened(tmp_path, True, **limits)
    assert isinstance(live.x_train, LiveImages) and isinstance(live.x_test, LiveImages)
    assert (live.side, live.classes) == (kept.side, kept.classes)
    for split in ("train", "test"):
        x, y = getattr(kept, f"x_{split}"), getattr(kept, f"y_{split}")
        drawn = getattr(live, f"x_{split}")
        assert drawn.shape == x.shape and len(drawn) == len(x)
        assert np.array_equal(drawn[:], x) and np.array_equal(drawn[2::3], x[2::3])
        assert np.array_equal(getattr(live, f"y_{split}"), y)


def test_a_split_gathers_the_same_from_either(tmp_path):
    kept, live = opened(tmp_path, False), opened(tmp_path, True)
    chosen = np.array([70, 3, 3, 41])
    a, b = DeviceSplit(kept.x_train, kept.y_train, "cpu"), DeviceSplit(live.x_train, live.y_train, "cpu")
    assert len(a) == len(b) and a.resident and not b.resident
    for one, other in zip(a.gather(chosen), b.gather(chosen), strict=True):
        assert one.dtype == other.dtype and one.is_contiguous() and other.is_contiguous() and torch.equal(one, other)


def test_live_leaves_no_cache_and_knows_its_images(tmp_path):
    live = opened(tmp_path, True)
    assert not (tmp_path / "cache").exists()
    assert live.fingerprint == opened(tmp_path, True).fingerprint
    assert live.fingerprint != opened(tmp_path, True, train_limit=20).fingerprint


def test_the_order_and_the_company_of_images_do_not_matter():
    settings = Fractals(classes=5, train_per_class=600, test_per_class=1, size=16, points=100)
    drawn = fractals.systems(2, 5)
    order = rng.stream("company").permutation(3000)
    whole = fractals.draw(drawn, settings, "train", np.arange(3000))
    assert torch.equal(fractals.draw(drawn, settings, "train", order), whole[torch.from_numpy(order)])
    assert all(torch.equal(fractals.draw(drawn, settings, "train", np.array([i]))[0], whole[i]) for i in (0, 17, 2999))


def test_the_classes_of_an_imagenet_of_fractals_are_distinct():
    drawn = fractals.systems(0, 1000)
    assert len({row.tobytes() for row in drawn.linear}) == 1000
    settings = Fractals(classes=1000, train_per_class=1, test_per_class=1, size=32, points=2000)
    pictures = fractals.images(drawn, settings, "train", np.arange(1000))
    outlines = {(picture != picture[0, 0]).any(-1).tobytes() for picture in pictures}
    assert len(outlines) == 1000


def test_nothing_is_asked_of_the_device_and_all_of_it_is_there():
    """A meta tensor has a device and no values: reading one, or mixing it with a CPU tensor, raises."""
    settings = Fractals(classes=3, train_per_class=40, test_per_class=1, size=24, points=300)
    shapes = fractals.draw(fractals.systems(0, 3), settings, "train", np.arange(120), "meta")
    assert shapes.shape == (120, 3, 24, 24) and shapes.dtype == torch.uint8 and shapes.device.type == "meta"


def by_hand(row: np.ndarray, settings: Fractals) -> np.ndarray:
    """The image of a row of numbers, point by point in float32, by Python loops: uint8 [3, size, size]."""
    f = np.float32
    maps, ends, shift, flips, colours = np.split(row, np.cumsum(fractals._PARTS[:-1]))
    choices = render._choices(render.walkers(settings.points), torch.device("cpu")).numpy()[:, 0]
    track = []
    for walker in choices.T:
        x = y = f(0)
        for step, choice in enumerate(walker):
            chance = f(choice + shift[0]) % f(1)
            a, b, c, d, e, g = maps.reshape(-1, 6)[int((chance >= ends).sum())]
            x, y = f(f(e + f(a * x)) + f(b * y)), f(f(g + f(c * x)) + f(d * y))
            if step >= render._BURN_IN:
                track.append((x, y))
    points = np.array(track, f)
    low, high = points.min(0), points.max(0)
    scaled = ((points - low) * (f(0.96) / (high - low)) + f(0.02)) * f(settings.size)
    counts = np.zeros((settings.size, settings.size), int)
    for column, line in np.clip(scaled.astype(int), 0, settings.size - 1):
        counts[line, column] += 1
    counts = counts[::-1] if flips[1] else counts
    counts = counts[:, ::-1] if flips[0] else counts
    heat = (np.log1p(counts.astype(f)) / np.log1p(f(counts.max())))[None]
    ground, rare, often = colours.reshape(3, 3, 1, 1)
    return np.round(255 * np.where(heat > 0, rare + (often - rare) * heat, ground)).astype(int)


def test_images_are_those_of_a_loop_over_points():
    settings = Fractals(classes=4, train_per_class=2, test_per_class=1, size=16, points=400)
    drawn, positions = fractals.systems(5, 4), np.arange(8)
    planes = fractals.draw(drawn, settings, "train", positions).numpy().astype(int)
    for row, plane in zip(fractals._rows(drawn, settings, "train", positions), planes, strict=True):
        off = np.abs(by_hand(row, settings) - plane)
        assert (off <= 1).mean() > 0.99, "but for points that rounding carries into the pixel beside"


@pytest.mark.parametrize("count", [1, 4, 44])
def test_many_streams_at_once_are_the_streams(count):
    keys = [rng.fold("a", i) for i in range(9)]
    alone = [np.random.Generator(np.random.Philox(key=key)).random(count) for key in keys]
    assert np.array_equal(rng.uniforms(keys, count), alone)


def test_live_images_are_not_resized(tmp_path):
    with pytest.raises(
        BlueprintError, match=r"live is true, but size is 16 and images are read at 32; expected size 32"
    ):
        opened(tmp_path, True, image_size=32)

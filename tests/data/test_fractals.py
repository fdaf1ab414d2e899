"""Formula-driven images."""

import hashlib
import subprocess
import sys

import numpy as np

from vitzoo.blueprint.schema import Fractals
from vitzoo.data.sources import fractals, ifs

SETTINGS = Fractals(classes=6, train_per_class=8, test_per_class=2, size=24, points=800)

_SCRIPT = """
import hashlib, numpy as np, torch
from vitzoo.blueprint.schema import Fractals
from vitzoo.data.sources import fractals
torch.set_num_threads(1)
settings = Fractals(classes=6, train_per_class=8, test_per_class=2, size=24, points=800)
images = fractals.images(fractals.systems(0, 6), settings, "train", np.arange(48))
print(hashlib.sha256(images.tobytes()).hexdigest())
"""


def rendered(split="train", count=48, settings=SETTINGS):
    return fractals.images(fractals.systems(settings.seed, settings.classes), settings, split, np.arange(count))


def test_same_bits_in_another_process():
    out = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True).stdout
    assert out.strip() == hashlib.sha256(rendered().tobytes()).hexdigest()


def test_systems_are_contractive_and_in_the_window():
    drawn = fractals.systems(1, 40)
    sigma = np.linalg.svd(drawn.linear, compute_uv=False)
    n = (drawn.weight > 0).sum(1)
    assert sigma.max() < 1 and n.min() >= 2 and n.max() <= 8
    total = (sigma @ (1, 2)).sum(1)
    assert (total >= (5 + n) / 2 - 1e-9).all() and (total <= (6 + n) / 2 + 1e-9).all()
    np.testing.assert_allclose(drawn.weight.sum(1), 1)


def test_a_class_does_not_depend_on_how_many_there_are():
    assert np.array_equal(fractals.systems(1, 5).linear, fractals.systems(1, 40).linear[:5])
    assert not np.array_equal(fractals.systems(2, 5).linear, fractals.systems(1, 5).linear)


def test_an_image_does_not_depend_on_its_neighbours():
    drawn, whole = fractals.systems(0, 6), rendered()
    chosen = np.array([40, 3, 17])
    alone = fractals.images(drawn, SETTINGS, "train", chosen)
    assert np.array_equal(alone, whole[chosen])


def test_classes_fill_the_image():
    for row in ifs.fill(fractals.systems(3, 30)):
        assert row >= ifs.FILL


def test_images_of_a_class_differ_and_splits_are_disjoint():
    images = [image.tobytes() for image in (*rendered(), *rendered("test", 12))]
    assert len(set(images)) == 60


def test_classes_can_be_told_apart(opened):
    settings = Fractals(classes=6, train_per_class=60, test_per_class=20, size=16, points=800)
    images = opened("fractals", fractals=settings)
    assert np.bincount(images.y_train).tolist() == [60] * 6 and np.bincount(images.y_test).tolist() == [20] * 6

    def shape(x):  # colour and its direction are chance; the outline is the class
        flat = x.reshape(len(x), -1, 3).astype(float)
        ground = np.median(flat[:, [0, 15, 240, 255]], axis=1, keepdims=True)
        return np.abs(flat - ground).sum(-1) > 40

    distance = (shape(images.x_test)[:, None] != shape(images.x_train)[None]).sum(-1)
    accuracy = (images.y_train[distance.argmin(1)] == images.y_test).mean()
    assert 0.6 < accuracy <= 1  # chance is 1/6

"""Given the same parameters, augmentations give what torchvision and timm give."""

import numpy as np
import pytest
import torch
from timm.data import mixup as timm_mixup
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as TF

from vitzoo import rng
from vitzoo.blueprint.schema import Blur, Jitter
from vitzoo.data.augment import blur, crop, erase, flip, grey, jitter, mix, resample, resized_crop, rotate


def pictures(n: int = 8, side: int = 24) -> torch.Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0))


def one_by_one(images, function):
    return torch.stack([function(number, image) for number, image in enumerate(images)])


def test_flip_twice_is_identity():
    images, params = pictures(), flip.draw(rng.stream("flip"), 8, 0.5)
    assert 0 < params.mirrored.sum() < 8
    assert torch.equal(flip.apply(flip.apply(images, params), params), images)
    expected = one_by_one(images, lambda i, image: TF.horizontal_flip(image) if params.mirrored[i] else image)
    assert torch.equal(flip.apply(images, params), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_crop_equals_torchvision(dtype):
    images = (pictures() * 255).to(dtype)
    params = crop.draw(rng.stream("crop"), 8, 24 + 2 * 3 - 20)
    expected = one_by_one(
        images, lambda i, image: TF.crop(TF.pad(image, [3]), int(params.top[i]), int(params.left[i]), 20, 20)
    )
    assert torch.equal(crop.apply(images, params, 20, 3), expected)


@pytest.mark.parametrize("size", [8, 16, 40])
def test_resized_crop_equals_torchvision(size):
    images = pictures(32)
    params = resized_crop.draw(rng.stream("rrc"), 32, 24, (0.08, 1.0), (3 / 4, 4 / 3))

    def reference(i, image):
        return TF.resized_crop(image, *(int(value[i]) for value in params), [size, size], antialias=True)

    torch.testing.assert_close(
        resized_crop.apply(images, params, size), one_by_one(images, reference), atol=2e-6, rtol=0
    )


@pytest.mark.parametrize("size", [7, 16, 36, 64])
@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_resize_equals_torchvision(size, kind):
    mode = InterpolationMode(kind)
    expected = TF.resize(pictures(), [size, size], mode, antialias=True).clamp(0, 1)
    torch.testing.assert_close(resample.resize(pictures(), size, kind), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("kind", ["nearest", "bilinear"])
@pytest.mark.parametrize("most", [10.0, 180.0])
def test_rotation_equals_torchvision(kind, most):
    images, params = pictures(64, 15), rotate.draw(rng.stream("rotation"), 64, most)

    def reference(i, image):
        return TF.rotate(image, float(params.degrees[i]), InterpolationMode(kind))

    torch.testing.assert_close(rotate.apply(images, params, kind), one_by_one(images, reference), atol=2e-5, rtol=0)


TV_CHANGES = (TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation, TF.adjust_hue)


@pytest.mark.parametrize("number", range(4))
def test_each_colour_change_equals_torchvision(number):
    images = pictures()
    images[0] = 0.5  # without chroma
    images[1, :, :, :2] = torch.tensor([0.0, 1.0])  # the ends of the range
    factors = torch.linspace(-0.5, 0.5, 8) if number == 3 else torch.linspace(0, 2, 8)
    expected = one_by_one(images, lambda i, image: TV_CHANGES[number](image, float(factors[i])))
    ours = jitter.CHANGES[number](images, factors[:, None, None, None])
    torch.testing.assert_close(ours, expected, atol=3e-6, rtol=0)


def test_jitter_equals_torchvision_in_any_order():
    settings = Jitter(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.1, probability=0.8)
    images, params = pictures(48), jitter.draw(rng.stream("jitter"), 48, settings)

    def reference(i, image):
        for number in params.order[i] if params.active[i] else ():
            image = TV_CHANGES[number](image, float(params.factor[i, number]))
        return image

    assert 0 < params.active.sum() < 48
    torch.testing.assert_close(jitter.apply(images, params), one_by_one(images, reference), atol=1e-5, rtol=0)


def test_jitter_of_strength_zero_is_identity():
    images = pictures()
    assert torch.equal(jitter.apply(images, jitter.draw(rng.stream("jitter"), 8, Jitter())), images)


def test_grey_equals_torchvision():
    images, params = pictures(), grey.Grey(np.arange(8) % 2 == 0)
    expected = one_by_one(images, lambda i, image: image if i % 2 else TF.rgb_to_grayscale(image, 3))
    torch.testing.assert_close(grey.apply(images, params), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kernel", [3, 9, 23])
def test_blur_equals_torchvision(kernel):
    settings = Blur(kernel=kernel, probability=0.5)
    images, params = pictures(16), blur.draw(rng.stream("blur"), 16, settings)

    def reference(i, image):
        return TF.gaussian_blur(image, [kernel, kernel], [float(params.sigma[i])] * 2) if params.active[i] else image

    torch.testing.assert_close(blur.apply(images, params, kernel), one_by_one(images, reference), atol=2e-6, rtol=0)


@pytest.mark.parametrize("cut", [False, True])
def test_mixing_equals_timm(cut, monkeypatch):
    images, labels = pictures(), torch.arange(8) % 5
    for step in range(20):
        params = mix.draw(rng.stream("mix", step), 24, 0.0 if cut else 0.8, 1.0 if cut else 0.0)
        theirs = timm_mixup.Mixup(0.8, 1.0, label_smoothing=0.1, num_classes=5)
        monkeypatch.setattr(theirs, "_params_per_batch", lambda lam=float(params.lam[0]): (lam, cut))
        monkeypatch.setattr(timm_mixup, "rand_bbox", lambda *_, box=params.box[0], **__: tuple(int(v) for v in box))
        expected, soft = theirs(images.clone(), labels)
        torch.testing.assert_close(mix.apply(images, params), expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(mix.targets(labels, 5, 0.1, params), soft, atol=1e-6, rtol=0)


def test_mixing_with_lambda_one_is_identity():
    images, labels = pictures(), torch.arange(8)
    params = mix.Mix(np.ones(2), np.zeros(2, bool), np.zeros((2, 4), np.int64))
    assert torch.equal(mix.apply(images, params), images)
    assert torch.equal(mix.targets(labels, 8, 0.0, params), torch.eye(8))


def test_erasing_changes_the_box_only():
    images, params = pictures(200), erase.draw(rng.stream("erase"), 200, 24, 0.5)
    erased = erase.apply(images, params, seed=3)
    for before, after, (top, bottom, left, right) in zip(images, erased, params.box, strict=True):
        mask = torch.zeros(24, 24, dtype=torch.bool)
        mask[top:bottom, left:right] = True
        assert torch.equal((before != after).all(0), mask)
        assert torch.equal((before != after).any(0), mask)
    noise = erased[erased != images]
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03
    assert torch.equal(erased, erase.apply(images, params, seed=3))
    assert not torch.equal(erased, erase.apply(images, params, seed=4))

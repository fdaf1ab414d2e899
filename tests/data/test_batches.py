"""Order, device and pipeline: what a training step is fed."""

import numpy as np
import pytest
import torch

from vitzoo.blueprint.schema import Augmentation, Blur, Crop, Dataset, Hyperparameters, Jitter
from vitzoo.data import epoch_order, eval_order
from vitzoo.data.device import DeviceSplit
from vitzoo.data.pipeline import Pipeline
from vitzoo.errors import BlueprintError, DataError

DIGITS = Dataset(source="digits")
PADDED = Crop(kind="random", padding=2)
EVERYTHING = Augmentation(
    crop=Crop(kind="random_resized"),
    flip=0.5,
    rotation=10.0,
    jitter=Jitter(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.1, probability=0.8),
    grey=0.2,
    blur=Blur(kernel=3),
)


def hyper(**settings):
    return Hyperparameters(seed=0, epochs=1, batch_size=8, lr=1e-3, **settings)


MIXED = hyper(mixup=0.8, cutmix=1.0, label_smoothing=0.1, random_erasing=0.5)


def batch(n=8, side=16):
    images = torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return images, torch.arange(n) % 10


def test_an_epoch_shows_every_image_once():
    order = epoch_order(10, 3, seed=1, epoch=2)
    assert order.shape == (3, 3) and order.dtype == np.int64 and len(set(order.flat)) == 9
    assert np.array_equal(order, epoch_order(10, 3, seed=1, epoch=2))
    assert not np.array_equal(order, epoch_order(10, 3, seed=1, epoch=3))
    assert not np.array_equal(order, epoch_order(10, 3, seed=2, epoch=2))
    with pytest.raises(DataError, match="batch_size is 11, but the training split has only 10 images"):
        epoch_order(10, 11, 0, 0)
    assert np.concatenate(eval_order(10, 3)).tolist() == list(range(10))


def test_resident_and_streamed_splits_are_the_same(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (20, 5, 5, 3), dtype=np.uint8))
    x, y = np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(20)
    near, far = DeviceSplit(x, y, "cpu"), DeviceSplit(x, y, "cpu", budget_bytes=0)
    assert near.resident and not far.resident and len(near) == len(far) == 20
    for indices in (np.array([3, 19, 0, 3]), epoch_order(20, 4, 0, 0)[1]):
        images, labels = near.gather(indices)
        assert images.dtype == torch.uint8 and images.shape == (4, 3, 5, 5) and labels.dtype == torch.int64
        assert torch.equal(images, torch.from_numpy(x[indices].transpose(0, 3, 1, 2).copy()))
        assert torch.equal(images, far.gather(indices)[0]) and torch.equal(labels, far.gather(indices)[1])


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(crop=PADDED, rotation=10.0), EVERYTHING])
def test_a_batch_is_a_function_of_its_key(augmentation):
    pipeline = Pipeline(augmentation, MIXED, DIGITS, 16, 10)
    images, labels = batch()
    one, again, other = (pipeline.train_batch(images, labels, (0, 1, step)) for step in (2, 2, 3))
    assert one.images.dtype == torch.float32 and one.images.shape == (8, 3, 16, 16)
    assert one.targets.shape == (8, 10) and torch.equal(one.labels, labels)
    torch.testing.assert_close(one.targets.sum(1), torch.ones(8))
    assert torch.equal(one.images, again.images) and torch.equal(one.targets, again.targets)
    assert not torch.equal(one.images, other.images)
    assert one.images.isfinite().all()


@pytest.mark.parametrize("augmentation", [Augmentation(crop=PADDED, rotation=10.0), EVERYTHING])
def test_members_together_get_what_each_gets_alone(augmentation):
    pipeline = Pipeline(augmentation, MIXED, DIGITS, 16, 10)
    images, labels = batch(24)
    keys = [(6312, 1, 5), (42, 1, 5), (42, 1, 6)]
    together = pipeline.train_batch(images, labels, *keys)
    for number, key in enumerate(keys):
        rows = slice(8 * number, 8 * number + 8)
        alone = pipeline.train_batch(images[rows], labels[rows], key)
        torch.testing.assert_close(together.images[rows], alone.images, atol=1e-5, rtol=1e-5)
        assert torch.equal(together.targets[rows], alone.targets)


def test_two_views_differ_and_keep_their_places():
    settings = Hyperparameters(seed=0, epochs=1, batch_size=8, lr=1e-3, task="contrastive", temperature=0.1)
    images, _ = batch()
    pipeline = Pipeline(EVERYTHING, settings, DIGITS, 16, 10)
    views = pipeline.two_views(images, (0, 1, 2))
    assert views.shape == (16, 3, 16, 16) and not torch.equal(views[:8], views[8:])
    still = Pipeline(Augmentation(), settings, DIGITS, 16, 10)
    plain = still.eval_batch(images)
    assert torch.equal(still.two_views(images, (0, 1, 2)), torch.cat([plain, plain]))
    halves = still.two_views(images, (0, 1, 2), (1, 1, 2))
    assert torch.equal(halves, torch.cat([plain[:4], plain[:4], plain[4:], plain[4:]]))


def test_without_augmentation_training_sees_what_evaluation_sees():
    images, labels = batch(side=20)
    pipeline = Pipeline(Augmentation(), hyper(), DIGITS, 16, 10)
    train = pipeline.train_batch(images, labels, (0, 0, 0))
    assert torch.equal(train.images, pipeline.eval_batch(images))
    assert torch.equal(train.targets, torch.eye(10)[labels])


def test_evaluation_geometry():
    mean, std = torch.tensor(DIGITS.mean).view(3, 1, 1), torch.tensor(DIGITS.std).view(3, 1, 1)
    images, _ = batch(side=18)
    plain = Pipeline(Augmentation(crop=PADDED), hyper(), DIGITS, 16, 10)
    torch.testing.assert_close(plain.eval_batch(images), (images[..., 1:17, 1:17] / 255 - mean) / std)
    grown = Pipeline(Augmentation(crop=Crop(kind="random", resize=36)), hyper(), DIGITS, 32, 10)
    assert grown.eval_batch(images).shape == (8, 3, 32, 32)
    assert grown.train_batch(*batch(side=18), (0, 0, 0)).images.shape == (8, 3, 32, 32)
    grey = torch.full((2, 3, 10, 10), 128, dtype=torch.uint8)
    torch.testing.assert_close(plain.eval_batch(grey), ((128 / 255 - mean) / std).expand(2, 3, 16, 16))


def test_settings_that_do_not_fit_the_image_are_refused():
    with pytest.raises(BlueprintError, match=r"crop\.resize is 12, smaller than image_size 16"):
        Pipeline(Augmentation(crop=Crop(kind="random", resize=12)), hyper(), DIGITS, 16, 10)
    with pytest.raises(BlueprintError, match=r"blur\.kernel is 33, too wide for image_size 16"):
        Pipeline(Augmentation(blur=Blur(kernel=33)), hyper(), DIGITS, 16, 10)

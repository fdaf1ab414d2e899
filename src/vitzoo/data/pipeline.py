"""From uint8 batches to what a model is fed.

The order is: cut, flip, rotation, jitter, grey, blur, normalisation, random erasing, then MixUp or CutMix. Parameters
are drawn on the host from one generator for each (key, purpose), so they depend neither on the device nor on which
members are trained together; pixels are computed on the device in a few operations for the whole batch.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch

from vitzoo import rng
from vitzoo.blueprint.schema import Augmentation, Dataset, Hyperparameters
from vitzoo.data.augment import blur, crop, erase, flip, grey, jitter, mix, normalise, resample, resized_crop, rotate
from vitzoo.data.augment.params import Params, join
from vitzoo.errors import BlueprintError

Key = tuple[rng.Part, ...]


class Batch(NamedTuple):
    """``images``: float32 [N, 3, S, S]. ``targets``: float32 [N, classes]. ``labels``: int64 [N], as before mixing."""

    images: torch.Tensor
    targets: torch.Tensor
    labels: torch.Tensor


class Pipeline:
    """The augmentation of a recipe; holds settings only.

    The geometry without chance: images smaller than ``image_size`` are enlarged to it; images of more than
    image_size·8/7 are reduced to that; ``crop.resize``, where given, is the side instead; then the centre is cut.
    """

    def __init__(
        self,
        augmentation: Augmentation,
        hyper: Hyperparameters,
        dataset: Dataset,
        image_size: int,
        classes: int,
    ) -> None:
        self.augmentation, self.hyper, self.dataset = augmentation, hyper, dataset
        self.image_size, self.classes = image_size, classes
        cut = augmentation.crop
        if cut and cut.kind == "random" and cut.resize and cut.resize < image_size:
            raise BlueprintError(f"crop.resize is {cut.resize}, smaller than image_size {image_size}.")
        if augmentation.blur and augmentation.blur.kernel // 2 >= image_size:
            raise BlueprintError(f"blur.kernel is {augmentation.blur.kernel}, too wide for image_size {image_size}.")

    def train_batch(self, images: torch.Tensor, labels: torch.Tensor, *keys: Key) -> Batch:
        """Augment a training batch, uint8 [N, 3, side, side] with int64 labels [N].

        Every key, such as (seed, epoch, step), belongs to an equal share of the batch in turn, so several members'
        batches can be augmented at once with the result each would have alone.
        """
        h = self.hyper
        images = self._augment(images, keys)
        if not (h.mixup or h.cutmix):
            return Batch(images, mix.targets(labels, self.classes, h.label_smoothing), labels)
        streams = [rng.stream(*key, "mix") for key in keys]
        params = join([mix.draw(stream, self.image_size, h.mixup, h.cutmix) for stream in streams])
        targets = mix.targets(labels, self.classes, h.label_smoothing, params)
        return Batch(mix.apply(images, params), targets, labels)

    def two_views(self, images: torch.Tensor, *keys: Key) -> torch.Tensor:
        """Augment every image twice: float32 [2N, 3, S, S], for each key its views a, then its views b."""
        views = [(*key, view) for key in keys for view in ("a", "b")]
        twice = images.unflatten(0, (len(keys), 1, -1)).expand(-1, 2, -1, -1, -1, -1).flatten(0, 2)
        return self._augment(twice, views)

    def eval_batch(self, images: torch.Tensor) -> torch.Tensor:
        """Resize, cut the centre and normalise: float32 [N, 3, S, S]."""
        return self._normalise(normalise.to_float(self._centre(images)))

    def _augment(self, images: torch.Tensor, keys: Sequence[Key]) -> torch.Tensor:
        a, each = self.augmentation, len(images) // len(keys)

        def drawn(draw: Callable[..., Params], purpose: str, *settings: object) -> Params:
            return join([draw(rng.stream(*key, purpose), each, *settings) for key in keys])

        images = self._cut(images, drawn)
        if a.flip:
            images = flip.apply(images, drawn(flip.draw, "flip", a.flip))
        images = normalise.to_float(images)
        if a.rotation:
            images = rotate.apply(images, drawn(rotate.draw, "rotation", a.rotation))
        if a.jitter:
            images = jitter.apply(images, drawn(jitter.draw, "jitter", a.jitter))
        if a.grey:
            images = grey.apply(images, drawn(grey.draw, "grey", a.grey))
        if a.blur:
            images = blur.apply(images, drawn(blur.draw, "blur", a.blur), a.blur.kernel)
        images = self._normalise(images)
        return self._erase(images, keys) if self.hyper.random_erasing else images

    def _cut(self, images: torch.Tensor, drawn: Callable[..., Any]) -> torch.Tensor:
        settings = self.augmentation.crop
        if settings is None:
            return self._centre(images)
        if settings.kind == "random":
            images = self._sized(images)
            params = drawn(crop.draw, "crop", images.shape[-1] + 2 * settings.padding - self.image_size)
            return crop.apply(images, params, self.image_size, settings.padding)
        params = drawn(resized_crop.draw, "crop", images.shape[-1], settings.scale, settings.ratio)
        return resized_crop.apply(normalise.to_float(images), params, self.image_size)

    def _sized(self, images: torch.Tensor) -> torch.Tensor:
        """Resize where the rule of the class asks for it; otherwise pass, uint8 staying uint8."""
        side, size, settings = images.shape[-1], self.image_size, self.augmentation.crop
        if settings and settings.kind == "random" and settings.resize:
            wanted = settings.resize
        else:
            wanted = max(size, min(side, int(size * 8 / 7)))
        return images if wanted == side else resample.resize(normalise.to_float(images), wanted)

    def _centre(self, images: torch.Tensor) -> torch.Tensor:
        images = self._sized(images)
        start = round((images.shape[-1] - self.image_size) / 2)
        stop = start + self.image_size
        return images[..., start:stop, start:stop]

    def _normalise(self, images: torch.Tensor) -> torch.Tensor:
        return normalise.apply(images, *_moments(self.dataset.mean, self.dataset.std, images.device))

    def _erase(self, images: torch.Tensor, keys: Sequence[Key]) -> torch.Tensor:
        parts = []
        for key, part in zip(keys, images.chunk(len(keys)), strict=True):
            params = erase.draw(rng.stream(*key, "erase"), len(part), self.image_size, self.hyper.random_erasing)
            parts.append(erase.apply(part, params, rng.fold(*key, "noise")))
        return torch.cat(parts)


@lru_cache(maxsize=16)
def _moments(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor(each, device=device).view(3, 1, 1) for each in (mean, std))

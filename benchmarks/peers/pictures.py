"""Data as PyTorch's users have it: a Dataset of PIL images, torchvision's transforms, a DataLoader with processes."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from timm.data.mixup import Mixup
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from peers.workload import CUTMIX, ERASING, MEAN, MIXUP, SMOOTHING, STD, Architecture, Task


class Pictures(Dataset):
    """One split of the data file, an image at a time."""

    def __init__(self, path: str, split: str, limit: int | None, transform: Callable):
        with np.load(path) as file:
            self.images, self.labels = file[f"x_{split}"][:limit], file[f"y_{split}"][:limit]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.images[i])), int(self.labels[i])


def training_transform(arch: Architecture, erasing: bool) -> transforms.Compose:
    """Crop, flip, rotation, normalisation and, if asked for, erasing by noise, per image on the CPU."""
    steps: list[Callable] = [
        transforms.RandomCrop(arch.shape.image_size, padding=arch.padding),
        transforms.RandomHorizontalFlip(),
    ]
    if arch.rotation:
        steps.append(transforms.RandomRotation(arch.rotation))
    steps += [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    if erasing:
        steps.append(transforms.RandomErasing(p=ERASING, value="random"))  # type: ignore[arg-type]  (documented)
    return transforms.Compose(steps)


def loaders(task: Task, erasing: bool) -> tuple[DataLoader, DataLoader]:
    """Return the loaders of the training and the test split; the last incomplete training batch is dropped."""
    w = task.workload
    plain = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    train = Pictures(w.data, "train", w.images, training_transform(w.architecture, erasing))
    test = Pictures(w.data, "test", None, plain)
    options = {
        "batch_size": w.batch,
        "num_workers": task.loaders,
        "persistent_workers": task.loaders > 0,
        "pin_memory": w.device == "cuda",
    }
    return DataLoader(train, shuffle=True, drop_last=True, **options), DataLoader(test, **options)


def mixup(arch: Architecture) -> Mixup:
    """timm's MixUp or CutMix of a batch, with label smoothing."""
    return Mixup(mixup_alpha=MIXUP, cutmix_alpha=CUTMIX, label_smoothing=SMOOTHING, num_classes=arch.classes)

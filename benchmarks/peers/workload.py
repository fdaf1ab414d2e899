"""What every system is asked to do: the same models, images, batches, augmentation and epochs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vitzoo.blueprint.schema import IMAGENET_MEAN, IMAGENET_STD, Backbone
from vitzoo.model.shapes import forward_macs

MEAN, STD = IMAGENET_MEAN, IMAGENET_STD
LR, MIXUP, CUTMIX, ERASING, SMOOTHING, DROP_PATH = 1e-3, 0.8, 1.0, 0.25, 0.1, 0.1


@dataclass(frozen=True)
class Architecture:
    """A vision transformer, and the geometry of its augmentation: random crop after padding, and rotation."""

    shape: Backbone
    padding: int
    rotation: float

    @property
    def classes(self) -> int:
        """Width of the output."""
        assert self.shape.head.outputs is not None
        return self.shape.head.outputs

    @property
    def train_flop(self) -> int:
        """FLOP of training on one image: forward once, backward twice that.

        >>> round(ARCHITECTURES["vit-s"].train_flop / 1e9, 2)
        27.59
        """
        return 3 * 2 * forward_macs(self.shape)


def _shape(size: int, patch: int, dim: int, depth: int, heads: int, classes: int) -> Backbone:
    values = {"image_size": size, "patch_size": patch, "dim": dim, "depth": depth, "heads": heads}
    return Backbone.model_validate(values | {"head": {"outputs": classes}})


#: ``small`` and its augmentation are those of tiny-cifar's fine-tuning, ``vit-s`` those of the paper's pre-training.
ARCHITECTURES = {
    "toy": Architecture(_shape(16, 4, 32, 2, 2, 10), padding=2, rotation=10),
    "small": Architecture(_shape(32, 4, 96, 6, 3, 100), padding=4, rotation=10),
    "vit-s": Architecture(_shape(224, 16, 384, 12, 6, 1000), padding=28, rotation=0),
}


@dataclass(frozen=True)
class Workload:
    """A little zoo: ``members`` models of one architecture, each ``epochs`` epochs of ``images`` images.

    ``data`` is an .npz file with x_train, y_train, x_test, y_test, images uint8 [N, S, S, 3].
    """

    arch: str
    members: int
    epochs: int
    images: int
    batch: int
    device: str
    data: str

    @property
    def architecture(self) -> Architecture:
        """The architecture of that name."""
        return ARCHITECTURES[self.arch]

    @property
    def steps(self) -> int:
        """Steps of an epoch; the last incomplete batch is dropped."""
        return self.images // self.batch


@dataclass(frozen=True)
class Task:
    """One process's share of a workload: which members it trains, where it writes, and what of the machine it uses."""

    workload: Workload
    members: tuple[int, ...]
    folder: str
    threads: int | None  # None: as the system chooses
    loaders: int  # worker processes of its data loader

    @property
    def report(self) -> Path:
        """Where the process writes what it noted."""
        return Path(self.folder) / "report.json"

    def write(self) -> Path:
        """Write the task into its folder, made for it, and return the file."""
        path = Path(self.folder) / "task.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(asdict(self)))
        return path

    @staticmethod
    def read(path: str) -> "Task":
        """Read a task back."""
        values = json.loads(Path(path).read_text())
        return Task(**values | {"workload": Workload(**values["workload"]), "members": tuple(values["members"])})

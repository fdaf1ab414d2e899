"""What the tests of remote zoos share: a published zoo with weights of some size, and its server."""

import shutil
from pathlib import Path

import numpy as np
from little_zoo import make_config, make_zoo

from vitzoo.zoo import Zoo

SHAPES = {"wide.weight": (64, 1000), "small.bias": (7,), "tall.weight": (5000, 16), "last.weight": (10, 30)}


def publish(path: Path) -> Zoo:
    """A pre-trained member and two fine-tuned ones, two checkpoints of 0.6 MB each, with a catalogue."""
    zoo = make_zoo(path)
    parent = zoo.add_member(make_config("pre", epochs=1))
    edge = {"member": "pre", "epoch": 1, "sha256": _grow(parent, 0, None)}
    for number, name in enumerate(("ft-a", "ft-b"), 1):
        _grow(zoo.add_member(make_config(name, parent, epochs=1, lr=0.1 * number)), number, edge)
    zoo.catalogue()
    return zoo


def tensors(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.standard_normal(shape, dtype="f4") for name, shape in SHAPES.items()}


def republish(source: Path, target: Path) -> Zoo:
    """Copy a zoo, so that it can be spoilt."""
    return Zoo.open(shutil.copytree(source, target))


def _grow(member, seed: int, origin) -> str:
    sha256 = ""
    for epoch in (0, 1):
        metrics = {"train_loss": 2.0 - epoch, "test_acc": 0.1 * (seed + epoch)}
        sha256 = member.commit(epoch, tensors(10 * seed + epoch), metrics, origin if epoch == 0 else None)
    return sha256

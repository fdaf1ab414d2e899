"""Things done to a copy of a little zoo: other weights, copies, damage, other configs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vitzoo.zoo import Checkpoint, Member, Zoo, safetensors_io
from vitzoo.zoo.layout import CONFIG, MANIFEST, WEIGHTS

Tensors = dict[str, Any]


def reopened(zoo: Zoo) -> Zoo:
    """The zoo with a catalogue of what is there now."""
    found = Zoo.open(zoo.path)
    found.rebuild_catalogue()
    return found


def rewrite(checkpoint: Checkpoint, change: Callable[[Tensors], Tensors], sign: bool = True) -> str:
    """Store other weights in a checkpoint, and the manifest to it if they are to count as sound."""
    path = checkpoint.path / WEIGHTS
    tensors = change({name: array.copy() for name, array in checkpoint.tensors().items()})
    path.unlink()
    sha256, size = safetensors_io.write(path, tensors)
    if sign:
        edit_json(checkpoint.path / MANIFEST, lambda m: m["files"][WEIGHTS].update(sha256=sha256, size=size))
    return sha256


def copy_weights(of: Checkpoint, to: Checkpoint) -> None:
    """Give a checkpoint the weights of another, byte for byte."""
    shutil.copyfile(of.path / WEIGHTS, to.path / WEIGHTS)
    entry = dict(Checkpoint(of.member, of.epoch).manifest["files"][WEIGHTS])
    edit_json(to.path / MANIFEST, lambda m: m["files"].update({WEIGHTS: entry}))


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file in place."""
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def edit_config(member: Member, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a member's recipe."""
    edit_json(member.path / CONFIG, lambda config: change(config["recipe"]))


def grandchild(zoo: Zoo) -> tuple[Member, Member]:
    """Make a fine-tuned member the parent of another of the same shape; return parent and child."""
    parent = next(m for m in zoo.members("finetuning") if "sgd" in json.dumps(m.recipe))
    same = [m for m in parent.zoo.members("finetuning") if m.path.parent == parent.path.parent and m is not parent]
    child = next(m for m in same if m.recipe["architecture"] == parent.recipe["architecture"])
    place = zoo.path / "finetuning" / parent.name / child.name
    place.parent.mkdir()
    shutil.move(child.path, place)
    edit_json(place / CONFIG, lambda config: config["parent"].update(member=parent.name, id=parent.id))
    last = parent.checkpoint()
    edge = {"member": parent.name, "epoch": last.epoch, "sha256": last.sha256}
    edit_json(place / "checkpoint_000000" / MANIFEST, lambda manifest: manifest.update(parent=edge))
    again = reopened(zoo)
    return again.member(parent.name), again.member(child.name)


def vector(checkpoint: Checkpoint) -> np.ndarray:
    """All numbers of the backbone as one vector in float64."""
    tensors = checkpoint.tensors()
    return np.concatenate([t.ravel() for name, t in tensors.items() if not name.startswith("head")]).astype("f8")

"""Ours: ``vitzoo grow`` of a blueprint with the workload's members, through the public interface, as its users do.

The members differ in their learning rate, a sweep, so that no two of them share an optimizer's settings.

Usage: python -m peers.ours TASK.json
"""

import os
import sys
from pathlib import Path

from peers.diary import Diary
from peers.workload import CUTMIX, DROP_PATH, ERASING, LR, MEAN, MIXUP, SMOOTHING, STD, Task, Workload
from vitzoo.blueprint import load
from vitzoo.growing.events import EpochDone, Event
from vitzoo.growing.grow import Wishes, Work, grow, raise_first
from vitzoo.growing.jobs import Places


def blueprint(w: Workload) -> str:
    """Return the blueprint of a workload."""
    a = w.architecture
    s, data = a.shape, Path(w.data)
    rates = [round(LR * (1 + i / 1000), 9) for i in range(w.members)]
    return f"""\
vitzoo: 1
name: benchmark
licence: CC0-1.0
pretraining:
  architecture:
    {{image_size: {s.image_size}, patch_size: {s.patch_size}, dim: {s.dim}, depth: {s.depth}, heads: {s.heads}}}
  dataset:
    source: "npz:{data.name}"
    classes: {a.classes}
    train_limit: {w.images}
    mean: {list(MEAN)}
    std: {list(STD)}
  augmentation:
    crop: {{kind: random, padding: {a.padding}}}
    flip: 0.5
    rotation: {a.rotation}
  hyperparameters:
    seed: 42
    epochs: {w.epochs}
    batch_size: {w.batch}
    label_smoothing: {SMOOTHING}
    mixup: {MIXUP}
    cutmix: {CUTMIX}
    random_erasing: {ERASING}
    stochastic_depth: {DROP_PATH}
  grid:
    product:
      hyperparameters.lr: {rates}
"""


def main(task: Task) -> None:
    """Grow the zoo and note what its workers tell."""
    w, folder, diary = task.workload, Path(task.folder), Diary(task)
    path = folder / "blueprint.yaml"
    path.write_text(blueprint(w))
    workers: list[int] = []

    def begun(work: Work) -> None:
        workers.append(work.workers)

    def tell(event: Event) -> None:
        if isinstance(event, EpochDone):
            note(diary, w, event)

    places = Places(folder / "zoo", Path(w.data).parent, Path(os.environ["VITZOO_CACHE"]))
    outcome = grow(load(path), places, Wishes(device=w.device), begun=begun, tell=tell)
    raise_first(outcome.failures)
    diary.write(workers[0])


def note(diary: Diary, w: Workload, event: EpochDone) -> None:
    """Note an epoch of a population of K members: K·images, and the seconds in which it trained them.

    The rate that vitzoo records leaves evaluation out. Checkpoints are written behind the training's back, so that of
    an epoch is paid for in the next one.
    """
    members = [metrics for metrics in event.metrics.values() if metrics is not None]
    if event.epoch == 0 or not members:
        diary.note(event.epoch, 0, 0.0, None)
        return
    images = w.steps * w.batch * len(members)
    diary.note(event.epoch, images, images / members[0]["images_per_second"], None)


if __name__ == "__main__":
    main(Task.read(sys.argv[1]))

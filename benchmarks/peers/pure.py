"""Steps alone, for diagnosis: one process, one core, images at hand, nothing augmented, logged or stored.

Usage: python -m peers.pure TASK.json {ours,p1,p5}
"""

import sys
import time
from collections.abc import Callable

from vitzoo.compat import ensure_torchvision

ensure_torchvision()

import torch  # noqa: E402

from peers.diary import Diary  # noqa: E402
from peers.workload import LR, Task  # noqa: E402

Step = Callable[[], object]


def random_batch(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch of noise and soft targets."""
    w = task.workload
    side, classes = w.architecture.shape.image_size, w.architecture.classes
    images = torch.randn(w.batch, 3, side, side, device=w.device)
    return images, torch.rand(w.batch, classes, device=w.device).softmax(1)


def p1(task: Task) -> tuple[Step, int]:
    """Return a step of one timm model, and how many members it trains."""
    from peers.models import create
    from peers.timm_loop import step

    w, batch = task.workload, random_batch(task)
    model = create(w.architecture).to(w.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0)
    return lambda: step(model, optimizer, w, *batch), 1


def p5(task: Task) -> tuple[Step, int]:
    """Return a step of a stack of timm models, and how many members it trains."""
    from peers.vmap import Stack

    stack, batch = Stack(task), random_batch(task)
    return lambda: stack.step(*batch), len(task.members)


def timed(task: Task, step: Step, members: int) -> None:
    """Time epochs of steps; the first epoch is the warm-up, as everywhere."""
    w, diary = task.workload, Diary(task)
    diary.note(0, 0, 0.0, None)
    for epoch in range(1, w.epochs + 1):
        begun = time.perf_counter()
        for _ in range(w.steps):
            step()
        if w.device == "cuda":
            torch.cuda.synchronize()
        diary.note(epoch, w.steps * w.batch * members, time.perf_counter() - begun, None)
    diary.write()


def ours(task: Task) -> None:
    """Run our training loop on one stack without augmentation; evaluation is not in its rate."""
    import numpy as np

    from vitzoo.blueprint import expand, load
    from vitzoo.data.device import DeviceSplit
    from vitzoo.growing.computing import compute_of
    from vitzoo.growing.execution import choose
    from vitzoo.training import loop
    from vitzoo.training.start import from_scratch

    w, diary = task.workload, Diary(task)
    recipes = expand(load(_blueprint(task), OFF))[0]
    execution = choose(w.device, None, None)
    recipes = recipes[: execution.limit(recipes[0])]
    with np.load(w.data) as data:
        split = DeviceSplit(data["x_train"][: w.images], data["y_train"][: w.images], w.device)
        test = DeviceSplit(data["x_test"][: w.batch], data["y_test"][: w.batch], w.device)
    population = loop.Population(recipes, split, test, w.architecture.classes, compute_of(recipes[0], execution))
    for epoch in loop.train(population, loop.begin(population, [from_scratch(recipe) for recipe in recipes])):
        images = w.steps * w.batch * len(recipes) if epoch.number else 0
        rate = (epoch.metrics[0] or {}).get("images_per_second")
        diary.note(epoch.number, images, images / rate if rate else 0.0, None)
    diary.write()


#: What is switched off in the blueprint of ``ours``; stochastic depth stays, as it does in the peers' models.
OFF = [
    "pretraining.augmentation={}",
    "pretraining.hyperparameters.mixup=0",
    "pretraining.hyperparameters.cutmix=0",
    "pretraining.hyperparameters.random_erasing=0",
]


def _blueprint(task: Task) -> str:
    from pathlib import Path

    from peers.ours import blueprint

    path = Path(task.folder) / "blueprint.yaml"
    path.write_text(blueprint(task.workload))
    return str(path)


def main(task: Task, which: str) -> None:
    """Measure one of the three."""
    if task.threads and task.workload.device == "cpu":
        torch.set_num_threads(task.threads)
    if which == "ours":
        ours(task)
    else:
        timed(task, *{"p1": p1, "p5": p5}[which](task))


if __name__ == "__main__":
    main(Task.read(sys.argv[1]), sys.argv[2])

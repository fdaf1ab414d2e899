"""P1: a plain PyTorch and timm training loop for one model, as a careful user writes it. P2: the same, compiled.

Mixed precision in bf16 where the hardware multiplies it, otherwise float32; fused attention; torch.optim.AdamW with its
defaults; losses summed on the device and read once an epoch.

Usage: python -m peers.timm_loop TASK.json [--compile]
"""

import json
import sys
from pathlib import Path

from vitzoo.compat import ensure_torchvision

ensure_torchvision()

import torch  # noqa: E402
from timm.data.mixup import Mixup  # noqa: E402
from timm.utils.random import random_seed  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

from peers.diary import Diary  # noqa: E402
from peers.models import create  # noqa: E402
from peers.pictures import loaders, mixup  # noqa: E402
from peers.precision import autocast  # noqa: E402
from peers.workload import LR, Task, Workload  # noqa: E402

Metrics = dict[str, float]


def step(model: nn.Module, optimizer: torch.optim.Optimizer, w: Workload, images, targets) -> tuple:
    """Make one step; return the loss and the outputs, detached."""
    with autocast(w):
        outputs = model(images)
        loss = cross_entropy(outputs, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach(), outputs.detach()


def train(model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader, mix: Mixup, w: Workload) -> Metrics:
    """Train one epoch; return the online loss and accuracy."""
    model.train()
    loss_sum, right = torch.zeros(2, device=w.device)
    for images, labels in loader:
        images, labels = images.to(w.device, non_blocking=True), labels.to(w.device, non_blocking=True)
        loss, outputs = step(model, optimizer, w, *mix(images, labels))
        loss_sum += loss
        right += (outputs.argmax(1) == labels).sum()
    return {"train_loss": loss_sum.item() / len(loader), "train_acc": right.item() / (len(loader) * w.batch)}


@torch.no_grad()
def test(model: nn.Module, loader: DataLoader, w: Workload) -> Metrics:
    """Evaluate on the whole test split."""
    model.eval()
    loss_sum, right = torch.zeros(2, device=w.device)
    for images, labels in loader:
        images, labels = images.to(w.device, non_blocking=True), labels.to(w.device, non_blocking=True)
        with autocast(w):
            outputs = model(images)
        loss_sum += cross_entropy(outputs.float(), labels, reduction="sum")
        right += (outputs.argmax(1) == labels).sum()
    n = len(loader.dataset)  # type: ignore[arg-type]  (it has a length)
    return {"test_loss": loss_sum.item() / n, "test_acc": right.item() / n}


def grow(task: Task, member: int, compiled: bool, diary: Diary) -> None:
    """Train one member from scratch; keep a checkpoint and a line of metrics for every epoch."""
    w, folder = task.workload, Path(task.folder) / f"member_{member}"
    folder.mkdir()
    random_seed(member)
    plain = create(w.architecture).to(w.device)
    model = torch.compile(plain) if compiled else plain
    optimizer = torch.optim.AdamW(plain.parameters(), lr=LR, weight_decay=0)
    train_loader, test_loader = loaders(task, erasing=True)
    mix = mixup(w.architecture)
    for epoch in range(w.epochs + 1):
        metrics: Metrics = {"epoch": epoch}
        if epoch:
            with diary.timed("train"):
                metrics |= train(model, optimizer, train_loader, mix, w)  # type: ignore[arg-type]  (compile keeps it)
        with diary.timed("evaluate"):
            metrics |= test(model, test_loader, w)  # type: ignore[arg-type]
        with diary.timed("save"):
            torch.save(plain.state_dict(), folder / f"epoch_{epoch:03d}.pt")
            with (folder / "log.jsonl").open("a") as file:
                file.write(json.dumps(metrics) + "\n")
        diary.epoch(epoch, w.steps * w.batch if epoch else 0)


def main(task: Task, compiled: bool) -> None:
    """Train the task's members one after another."""
    if task.threads:
        torch.set_num_threads(task.threads)
    diary = Diary(task)
    for member in task.members:
        grow(task, member, compiled, diary)
    diary.write()


if __name__ == "__main__":
    main(Task.read(sys.argv[1]), "--compile" in sys.argv[2:])

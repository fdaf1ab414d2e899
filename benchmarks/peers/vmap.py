"""P5: K timm models as one, by ``torch.func``: stacked states, ``functional_call`` under ``vmap``, one optimizer.

All members see the same batch and have one learning rate; they differ in their initialisation and in which residual
branches they drop (``randomness="different"``). Attention is the plain one, since the fused kernel has no batching
rule.

Usage: python -m peers.vmap TASK.json
"""

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from vitzoo.compat import ensure_torchvision

ensure_torchvision()

import torch  # noqa: E402
from timm.layers.config import set_fused_attn  # noqa: E402
from timm.utils.random import random_seed  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.func import functional_call, stack_module_state  # noqa: E402
from torch.nn.functional import log_softmax, one_hot  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

from peers.diary import Diary  # noqa: E402
from peers.models import create  # noqa: E402
from peers.pictures import loaders, mixup  # noqa: E402
from peers.precision import autocast  # noqa: E402
from peers.workload import LR, Task  # noqa: E402

Columns = dict[str, list[float]]


class Stack:
    """K models, their stacked parameters [K, …], and one optimizer over them."""

    def __init__(self, task: Task):
        self.w, self.folder = task.workload, Path(task.folder)
        set_fused_attn(False)
        models = []
        for member in task.members:
            random_seed(member)
            models.append(create(self.w.architecture).to(self.w.device))
        self.params, self.buffers = stack_module_state(models)
        self.skeleton = copy.deepcopy(models[0]).to("meta")
        self.optimizer = torch.optim.AdamW(self.params.values(), lr=LR, weight_decay=0)
        self.members = task.members

    def outputs(self, images: Tensor) -> Tensor:
        """Return the logits [K, batch, classes] of all members on one batch."""

        def one(params: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
            return functional_call(self.skeleton, (params, buffers), (images,))

        with autocast(self.w):
            return torch.vmap(one, randomness="different")(self.params, self.buffers).float()

    def step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Make one step of all members; return their losses [K] and logits [K, batch, classes], detached."""
        self.skeleton.train()
        outputs = self.outputs(images)
        losses = -(targets * log_softmax(outputs, -1)).sum(-1).mean(-1)
        self.optimizer.zero_grad()
        losses.sum().backward()
        self.optimizer.step()
        return losses.detach(), outputs.detach()

    def states(self) -> Iterator[tuple[int, dict[str, Tensor]]]:
        """Yield every member's number and state dict."""
        for i, member in enumerate(self.members):
            # Cloned, since torch.save would store the whole stack behind a view of it.
            yield member, {name: tensor[i].detach().clone() for name, tensor in self.params.items()}


def train(stack: Stack, loader: DataLoader, mix) -> Columns:
    """Train one epoch; return online losses and accuracies of the members."""
    w = stack.w
    loss_sum, right = torch.zeros(2, len(stack.members), device=w.device)
    for images, labels in loader:
        images, labels = images.to(w.device, non_blocking=True), labels.to(w.device, non_blocking=True)
        losses, outputs = stack.step(*mix(images, labels))
        loss_sum += losses
        right += (outputs.argmax(-1) == labels).sum(1)
    n = len(loader)
    return {"train_loss": (loss_sum / n).tolist(), "train_acc": (right / (n * w.batch)).tolist()}


@torch.no_grad()
def test(stack: Stack, loader: DataLoader) -> Columns:
    """Evaluate all members on the whole test split."""
    w = stack.w
    stack.skeleton.eval()
    loss_sum, right = torch.zeros(2, len(stack.members), device=w.device)
    for images, labels in loader:
        images, labels = images.to(w.device, non_blocking=True), labels.to(w.device, non_blocking=True)
        outputs = stack.outputs(images)
        loss_sum -= (log_softmax(outputs, -1) * one_hot(labels, outputs.shape[-1])).sum((1, 2))
        right += (outputs.argmax(-1) == labels).sum(1)
    n = len(loader.dataset)  # type: ignore[arg-type]  (it has a length)
    return {"test_loss": (loss_sum / n).tolist(), "test_acc": (right / n).tolist()}


def save(stack: Stack, epoch: int, columns: Columns) -> None:
    """Keep a checkpoint and a line of metrics for every member."""
    for i, (member, state) in enumerate(stack.states()):
        folder = stack.folder / f"member_{member}"
        folder.mkdir(exist_ok=True)
        torch.save(state, folder / f"epoch_{epoch:03d}.pt")
        with (folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({"epoch": epoch} | {name: column[i] for name, column in columns.items()}) + "\n")


def main(task: Task) -> None:
    """Train the task's members together."""
    if task.threads:
        torch.set_num_threads(task.threads)
    w, diary, stack = task.workload, Diary(task), Stack(task)
    train_loader, test_loader = loaders(task, erasing=True)
    mix = mixup(w.architecture)
    for epoch in range(w.epochs + 1):
        columns: Columns = {}
        if epoch:
            with diary.timed("train"):
                columns |= train(stack, train_loader, mix)
        with diary.timed("evaluate"):
            columns |= test(stack, test_loader)
        with diary.timed("save"):
            save(stack, epoch, columns)
        diary.epoch(epoch, w.steps * w.batch * len(task.members) if epoch else 0)
    diary.write()


if __name__ == "__main__":
    main(Task.read(sys.argv[1]))

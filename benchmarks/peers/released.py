"""P0: the loop of the paper's released code (ModelZoos/ViTModelZoo), repaired so that it runs and does what it says.

One process a model, eager float32, torchvision's transforms on PIL images in a DataLoader, deterministic cuDNN, two
synchronisations a step, pixel erasing by a Python loop over the mixed batch, every epoch evaluated and kept as a
pickled state dict with the optimizer's beside it. Repaired: label smoothing, MixUp, CutMix, erasing and stochastic
depth are what its paper says, and no test image is dropped. Left out: Ray, which only places its trials.

Usage: python -m peers.released TASK.json
"""

import json
import sys
from pathlib import Path

from vitzoo.compat import ensure_torchvision

ensure_torchvision()

import torch  # noqa: E402
from timm.data.random_erasing import RandomErasing  # noqa: E402
from timm.loss.cross_entropy import SoftTargetCrossEntropy  # noqa: E402
from timm.utils.random import random_seed  # noqa: E402
from torch import nn  # noqa: E402

from peers.diary import Diary  # noqa: E402
from peers.models import create  # noqa: E402
from peers.pictures import loaders, mixup  # noqa: E402
from peers.workload import ERASING, LR, Task  # noqa: E402


class Trial:
    """One model under training, stepped an epoch at a time."""

    def __init__(self, task: Task, member: int):
        w = task.workload
        random_seed(member)
        torch.backends.cudnn.deterministic = True
        self.folder = Path(task.folder) / f"trial_{member}"
        self.folder.mkdir()
        self.config = {"arch": w.arch, "seed": member, "optim::lr": LR, "training::batchsize": w.batch}
        self.device = torch.device(w.device)
        self.train_loader, self.test_loader = loaders(task, erasing=False)
        self.mixup = mixup(w.architecture)
        self.erase = RandomErasing(probability=ERASING, mode="pixel", device=w.device)
        self.model = create(w.architecture).to(self.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=LR, weight_decay=0)
        self.soft, self.hard = SoftTargetCrossEntropy(), nn.CrossEntropyLoss()

    def train_epoch(self) -> dict[str, float]:
        """Train once over the data; return the online loss and accuracy."""
        self.model.train()
        loss_sum, right, seen = 0.0, 0, 0
        for images, labels in self.train_loader:
            images, labels = images.to(self.device), labels.to(self.device)
            mixed, targets = self.mixup(images, labels)
            self.optimizer.zero_grad()
            outputs = self.model(self.erase(mixed))
            loss = self.soft(outputs, targets)
            loss.backward()
            self.optimizer.step()
            loss_sum += loss.item() * len(labels)
            right += (outputs.argmax(1) == labels).sum().item()
            seen += len(labels)
        return {"train_loss": loss_sum / seen, "train_acc": right / seen}

    @torch.no_grad()
    def test_epoch(self) -> dict[str, float]:
        """Evaluate on the test split."""
        self.model.eval()
        loss_sum, right, seen = 0.0, 0, 0
        for images, labels in self.test_loader:
            images, labels = images.to(self.device), labels.to(self.device)
            outputs = self.model(images)
            loss_sum += self.hard(outputs, labels).item() * len(labels)
            right += (outputs.argmax(1) == labels).sum().item()
            seen += len(labels)
        return {"test_loss": loss_sum / seen, "test_acc": right / seen}

    def save(self, epoch: int, metrics: dict[str, float]) -> None:
        """Keep the epoch: model, optimizer, a line of metrics."""
        folder = self.folder / f"checkpoint_{epoch:06d}"
        folder.mkdir()
        torch.save(self.model.state_dict(), folder / "checkpoints")
        torch.save(self.optimizer.state_dict(), folder / "optimizer")
        with (self.folder / "result.json").open("a") as file:
            file.write(json.dumps({**metrics, "training_iteration": epoch, "config": self.config}) + "\n")


def main(task: Task) -> None:
    """Train the task's members one after another."""
    if task.threads:
        torch.set_num_threads(task.threads)
    w, diary = task.workload, Diary(task)
    for member in task.members:
        trial = Trial(task, member)
        for epoch in range(w.epochs + 1):
            metrics: dict[str, float] = {}
            if epoch:  # the first step of the released code only evaluates
                with diary.timed("train"):
                    metrics |= trial.train_epoch()
            with diary.timed("evaluate"):
                metrics |= trial.test_epoch()
            with diary.timed("save"):
                trial.save(epoch, metrics)
            diary.epoch(epoch, w.steps * w.batch if epoch else 0)
    diary.write()


if __name__ == "__main__":
    main(Task.read(sys.argv[1]))

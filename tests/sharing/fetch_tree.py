"""A tree in the published layout with its quirks, made of random bytes: fetching never looks into weights."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIRST = "sl_vit_s_16_224_seed_42_bs_256_lr_0.001_wd_0.0001_me_90"
SECOND = "sl_ddp_vit_s_16_224_seed_6312_bs_512"
THIRD = "cl_vit_s_16_seed_42_bs_96_lr_0.001_wd_0.0001_me_90"
PT, FT = "vit_imagenet_pretrained", "vit_cifar100_finetuned"
WEIGHTS = 60_000  # bytes of a checkpoint


@dataclass
class Tree:
    """What was written: the bytes of every file by path."""

    root: Path
    files: dict[str, bytes] = field(default_factory=dict)
    seed: int = 0

    def put(self, path: str, data: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        self.files[path] = data

    def noise(self, size: int = WEIGHTS) -> bytes:
        self.seed += 1
        return random.Random(self.seed).randbytes(size)

    def member(
        self, path: str, config: dict[str, Any], numbers: range, padding: int = 6, name: str = "config.json"
    ) -> None:
        self.put(f"{path}/{name}", json.dumps(config).encode())
        self.put(f"{path}/result.json", b'{"test_acc": NaN}\n')
        for number in numbers:
            folder = f"{path}/checkpoint_{number:0{padding}d}"
            self.put(f"{folder}/checkpoints", self.noise())
            self.put(f"{folder}/optimizer", self.noise(2 * WEIGHTS))
            self.put(f"{folder}/.is_checkpoint", b"")


def pretraining(seed: int, batch: int, mode: str = "sl") -> dict[str, Any]:
    return {
        "seed": seed,
        "training::batchsize": batch,
        "training::mode": mode,
        "training::loss": "info_nce" if mode == "cl" else "stce",
        "training::temperature": float("nan"),
        "training::epochs_train": 90,
        "optim::optimizer": "adamw",
        "optim::lr": 0.001,
        "optim::wd": 1e-4,
        "dataset::name": "ImageNet1K",
    }


def finetuning(parent: str | None, optimizer: str, lr: float, mlp: bool, epoch: int | None = None) -> dict[str, Any]:
    path = {} if epoch is None else {"pretraining::model::path": f"/home/x/{parent}/checkpoint_{epoch}/checkpoints"}
    return {
        "seed": 42,
        "training::batchsize": 256,
        "training::epochs_train": 50,
        "optim::optimizer": optimizer,
        "optim::lr": lr,
        "optim::wd": 0,
        "model::head::mlp": mlp,
        "model::head::hidden_dim": 256 if mlp else None,
        "pretraining::mode": "sl",
        **({"pretraining::model": parent} if parent else {}),
        **path,
    }


def child(parent: str, optimizer: str, lr: float, mlp: bool) -> str:
    return f"{FT}/{parent}/sl_ft_SD_42_LR_{lr}_WD_0_OM_{optimizer}_FCMLP_{mlp}"


def write(root: Path) -> Tree:
    """Three pre-trained members and eight fine-tuned ones; numbers 8..12, so that text order is not number order."""
    tree = Tree(root)
    numbers = range(8, 13)
    tree.member(f"{PT}/{FIRST}", pretraining(42, 256), numbers)
    tree.member(f"{PT}/{SECOND}", pretraining(6312, 512), numbers, padding=4)
    tree.member(f"{PT}/{THIRD}", pretraining(42, 96, "cl"), numbers, padding=1, name="params.json")
    for optimizer in ("adamw", "sgd"):
        for lr in (0.001, 0.0001):
            config = finetuning(FIRST, optimizer, lr, mlp=False, epoch=10)
            tree.member(child(FIRST, optimizer, lr, False), config, numbers, padding=1)
            tree.member(child(SECOND, optimizer, lr, True), finetuning(None, optimizer, lr, mlp=True), numbers)
    tree.put("README.md", b"# The zoo\n")
    tree.put("config.json", b'{"grid": true}')
    tree.put("dataset.pt", b"\x80\x04K\x01.")
    tree.put(f"{PT}/.ipynb_checkpoints/x.ipynb", b"{}")
    return tree

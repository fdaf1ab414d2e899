"""A little zoo in the published layout, with every quirk its real copies have, and what it truly holds."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vitzoo.blueprint.schema import Backbone, Head
from vitzoo.model.shapes import parameter_shapes

Weights = dict[str, torch.Tensor]
CLASSES = 5


def backbone(head: Head) -> Backbone:
    return Backbone(image_size=16, patch_size=4, dim=64, depth=2, heads=1, init="released", head=head)


def weights(seed: int, head: Head) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    shapes = parameter_shapes(backbone(head))
    return {name: torch.randn(shape, generator=generator) * 0.1 for name, shape in shapes.items()}


def moved(state: Weights, seed: int, head: Head, by: float = 0.01) -> Weights:
    """The backbone a step of training away, with the head drawn anew."""
    fresh = weights(seed, head)
    return {n: state[n] + by * fresh[n] if n in state and not n.startswith("head") else fresh[n] for n in fresh}


def pretraining_config(seed: int, batch: int, contrastive: bool = False) -> dict[str, Any]:
    """The 36 keys of a pre-trained member's config."""
    return {
        "seed": seed,
        "cuda": True,
        "dataset::dump": "/ds2/imagenet/dataset.pt",
        "dataset::name": "ImageNet1K",
        "model::channels_in": 3,
        "model::init_type": "kaiming_normal",
        "model::nlin": "gelu",
        "model::o_dim": CLASSES,
        "model::type": "vit_tiny",
        "model::patch_size": 4,
        "model::attn_dropout": 0,
        "model::dropout": 0,
        "model::name": "vit",
        "optim::lr": 0.001,
        "optim::scheduler": None,
        "optim::momentum": 0,
        "optim::optimizer": "adamw",
        "optim::wd": 1e-4,
        "trainloader::num_workers": 8,
        "testloader::num_workers": 8,
        "validation::loss": "info_nce" if contrastive else "ce",
        "training::batchsize": batch,
        "training::ddp": False,
        "training::num_devices": 1,
        "training::device": "cuda",
        "training::epochs_train": 3,
        "training::label_smoothing": None if contrastive else 0.1,
        "training::temperature": 0.07 if contrastive else 0,
        "training::loss": "info_nce" if contrastive else "stce",
        "training::output_epoch": 1,
        "training::start_epoch": 0,
        "training::val_epochs": 1,
        "training::randerase": None if contrastive else 0.25,
        "training::mixup": None if contrastive else 0.8,
        "training::cutmix": None if contrastive else 1.0,
        "training::mode": "cl" if contrastive else "sl",
    }


def finetuning_config(parent: str, path: str | None, mlp: bool, optimizer: str, lr: float) -> dict[str, Any]:
    """The 44 keys of a fine-tuned member's config."""
    plain = {
        k: v for k, v in pretraining_config(42, 256).items() if k not in ("training::temperature", "training::mode")
    }
    return plain | {
        "dataset::name": "CIFAR100",
        "optim::optimizer": optimizer,
        "optim::lr": lr,
        "optim::momentum": 0.99 if optimizer == "sgd" else 0,
        "optim::wd": 0,
        "training::epochs_train": 2,
        "model::head::mlp": mlp,
        "model::head::hidden_dim": 7 if mlp else None,
        "model::head::nlin": None,
        "model::head::seed": 42,
        "model::freeze_encoder": False,
        "pretraining::model": parent,
        "pretraining::model::path": path or "",
        "pretraining::seed": 42,
        "pretraining::mode": "sl",
        "pretraining::loss": "stce",
    }


def line(iteration: int, accuracy: float, loss: float, evaluated: bool = False) -> dict[str, Any]:
    """A line as Ray writes it."""
    return {
        "train_loss": loss if evaluated else loss - 0.1,
        "train_acc": accuracy if evaluated else accuracy + 0.05,
        "test_loss": loss,
        "test_acc": accuracy,
        "done": False,
        "training_iteration": iteration,
        "trial_id": "ab12",
        "date": "2024-01-01_00-00-00",
        "time_this_iter_s": 1.5,
        "pid": 1,
        "hostname": "node",
        "node_ip": "10.0.0.1",
        "config": {"seed": 42},
    }


@dataclass
class Tree:
    """What was written, and the truth: weights by member's place and epoch, metrics, parents."""

    root: Path
    weights: dict[str, dict[int, Weights]] = field(default_factory=dict)
    test_acc: dict[str, dict[int, float | None]] = field(default_factory=dict)
    parents: dict[str, tuple[str, int]] = field(default_factory=dict)
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def member(
        self,
        key: str,
        config: dict[str, Any],
        states: dict[int, Weights],
        *,
        shift: int = 0,
        padding: int = 6,
        file: str = "checkpoints",
        prefix: str = "vit.",
        nest: str | None = None,
        config_name: str = "config.json",
    ) -> Path:
        """Write a member's checkpoints and config; number = epoch − shift."""
        place = self.root / key
        place.mkdir(parents=True)
        (place / config_name).write_text(json.dumps(config))
        for epoch, state in states.items():
            folder = place / f"checkpoint_{epoch - shift:0{padding}d}"
            folder.mkdir()
            named = {prefix + name: tensor for name, tensor in state.items()}
            if file.endswith(".safetensors"):
                from safetensors.torch import save_file

                save_file(named, folder / file)
            else:
                torch.save({nest: named, "epoch": epoch} if nest else named, folder / file)
        self.weights[key], self.configs[key] = states, config
        return place


def write(root: Path) -> Tree:
    """Write the tree: see the comments for the quirk each member has."""
    tree = Tree(root)
    linear, mlp = Head(outputs=CLASSES), Head(kind="mlp", hidden=7, outputs=CLASSES)
    first = {epoch: weights(10 + epoch, linear) for epoch in range(4)}
    second = {epoch: weights(20 + epoch, linear) for epoch in range(1, 4)}
    third = {epoch: weights(30 + epoch, linear) for epoch in (0, 3)}

    # as the released code writes it: line 0 only evaluates, numbers are epochs; an iteration twice after a restore
    name = "sl_vit_s_16_224_seed_42_bs_256_lr_0.001_wd_0.0001_me_90"
    place = tree.member(f"vit_imagenet_pretrained/{name}", pretraining_config(42, 256), first)
    lines = [
        line(0, 0.2, 1.6, evaluated=True),
        line(1, 0.3, 1.5),
        line(1, 0.35, 1.45),
        line(2, 0.4, 1.3),
        line(3, 0.5, 1.2),
    ]
    (place / "result.json").write_text("".join(json.dumps(one) + "\n" for one in lines))
    for junk in (".is_checkpoint", ".tune_metadata", "optimizer"):
        (place / "checkpoint_000001" / junk).write_bytes(b"\x80\x04K\x01.")
    (place / "params.pkl").write_bytes(b"\x80\x04K\x01.")
    tree.test_acc[f"vit_imagenet_pretrained/{name}"] = {0: 0.2, 1: 0.35, 2: 0.4, 3: 0.5}

    # later Ray: iterations from 1, checkpoints numbered from 0, percentages, four digits; DDP prefix; a JSON array
    other = "sl_ddp_vit_s_16_224_seed_6312_bs_512"
    place = tree.member(
        f"vit_imagenet_pretrained/{other}",
        pretraining_config(6312, 512),
        second,
        shift=1,
        padding=4,
        prefix="module.vit.",
    )
    (place / "result.json").write_text(json.dumps([line(i, 10.0 * i, 2.0 - 0.1 * i) for i in (1, 2, 3)]))
    tree.test_acc[f"vit_imagenet_pretrained/{other}"] = {1: 0.1, 2: 0.2, 3: 0.3}

    # contrastive; params.json, no padding, nested dict in a .pt file, a dict of lists with NaN
    contrastive = "cl_vit_s_16_seed_42_bs_96_lr_0.001_wd_0.0001_me_90"
    place = tree.member(
        f"vit_imagenet_pretrained/{contrastive}",
        pretraining_config(42, 96, contrastive=True),
        third,
        padding=1,
        file="model.pt",
        nest="model_state_dict",
        config_name="params.json",
    )
    four = [line(i, 0.1 * i, 2.0, evaluated=i == 0) for i in range(4)]
    columns = {key: [one[key] for one in four] for key in ("training_iteration", "train_acc", "train_loss", "test_acc")}
    columns["test_loss"] = [2.0, math.nan, math.inf, 2.0]
    (place / "result.json").write_text(json.dumps(columns))
    tree.test_acc[f"vit_imagenet_pretrained/{contrastive}"] = {0: 0.0, 3: 0.1 * 3}

    # fine-tuned from an epoch that the config names; MLP head; the curve's last line is cut off
    child = "sl_ft_SD_42_LR_0.001_WD_0_OM_adamw_HD_256_FZ_False_FCMLP_True"
    start = first[3] | {n: t for n, t in weights(40, mlp).items() if n.startswith("head")}
    start = {n: start[n] for n in parameter_shapes(backbone(mlp))}
    key = f"vit_cifar100_finetuned/{name}/{child}"
    config = finetuning_config(name, f"/home/x/{name}/checkpoint_3/checkpoints", True, "adamw", 0.001)
    place = tree.member(key, config, {0: start, 1: moved(start, 41, mlp), 2: moved(start, 42, mlp)})
    text = "".join(json.dumps(line(i, 0.1 + 0.2 * i, 1.0, evaluated=i == 0)) + "\n" for i in range(3))
    (place / "result.json").write_text(text + '{"train_loss": 0.1, "test')
    tree.parents[key] = (f"vit_imagenet_pretrained/{name}", 3)
    tree.test_acc[key] = {0: 0.1, 1: 0.1 + 0.2, 2: 0.1 + 0.4}

    # the same name under another parent; the folder alone says who; safetensors; no curve, so the weights number it
    twin = f"vit_cifar100_finetuned/{other}/{child}"
    start = second[3] | {n: t for n, t in weights(50, linear).items() if n.startswith("head")}
    config = finetuning_config(other, None, False, "sgd", 0.003)
    del config["pretraining::model"]
    states = {0: start, 1: moved(start, 51, linear)}
    tree.member(twin, config, states, shift=-1, file="model.safetensors")  # number 1 is the parent: epoch 0
    tree.parents[twin] = (f"vit_imagenet_pretrained/{other}", 3)
    tree.test_acc[twin] = {0: None, 1: None}

    # the config names a parent that the weights deny: they come from the folder's
    liar = f"vit_cifar100_finetuned/{contrastive}/sl_ft_SD_6312"
    config = finetuning_config(name, None, False, "sgd", 0.0001)
    states = {1: moved(third[3], 60, linear), 2: moved(third[3], 61, linear)}
    place = tree.member(liar, config, states)
    (place / "result.json").write_text("".join(json.dumps(line(i, 0.3, 1.0)) + "\n" for i in (1, 2)))
    tree.parents[liar] = (f"vit_imagenet_pretrained/{contrastive}", 3)
    tree.test_acc[liar] = {1: 0.3, 2: 0.3}

    (root / "config.json").write_text('{"grid": true}')  # the zoo's, not a member's
    (root / "dataset.pt").write_bytes(b"\x80\x04K\x01.")
    (root / "vit_imagenet_pretrained" / "link").symlink_to("/etc")
    empty = root / "vit_imagenet_pretrained" / "crashed"
    empty.mkdir()
    (empty / "result.json").write_text("")
    return tree

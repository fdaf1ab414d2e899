"""Folders of models as other programs leave them, for tests: timm's, Hugging Face's, AugReg's. Random weights."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def augreg_arrays(dim: int, heads: int, depth: int, patch: int, image: int, classes: int, seed: int = 0) -> Arrays:
    """The arrays of one of AugReg's archives: a plain ViT under Flax's names."""
    random = np.random.default_rng(seed)
    width, hidden, tokens = dim // heads, 4 * dim, (image // patch) ** 2 + 1
    shapes: dict[str, tuple[int, ...]] = {
        "cls": (1, 1, dim),
        "embedding/kernel": (patch, patch, 3, dim),
        "embedding/bias": (dim,),
        "head/kernel": (dim, classes),
        "head/bias": (classes,),
        "Transformer/posembed_input/pos_embedding": (1, tokens, dim),
        "Transformer/encoder_norm/scale": (dim,),
        "Transformer/encoder_norm/bias": (dim,),
    }
    for number in range(depth):
        place = f"Transformer/encoderblock_{number}"
        attention = f"{place}/MultiHeadDotProductAttention_1"
        for part in ("query", "key", "value"):
            shapes |= {f"{attention}/{part}/kernel": (dim, heads, width), f"{attention}/{part}/bias": (heads, width)}
        shapes |= {f"{attention}/out/kernel": (heads, width, dim), f"{attention}/out/bias": (dim,)}
        for norm in ("LayerNorm_0", "LayerNorm_2"):
            shapes |= {f"{place}/{norm}/scale": (dim,), f"{place}/{norm}/bias": (dim,)}
        shapes |= {f"{place}/MlpBlock_3/Dense_0/kernel": (dim, hidden), f"{place}/MlpBlock_3/Dense_0/bias": (hidden,)}
        shapes |= {f"{place}/MlpBlock_3/Dense_1/kernel": (hidden, dim), f"{place}/MlpBlock_3/Dense_1/bias": (dim,)}
    return {name: random.standard_normal(shape, dtype="f4") for name, shape in shapes.items()}


VIT = {"dim": 24, "heads": 2, "depth": 2, "patch": 4, "image": 8}  # small enough to be made in no time
HF_EPS = 1e-12  # Hugging Face's default


def timm_model(classes: int = 10, seed: int = 0, **shape: int) -> Any:
    """A little ViT of timm with random weights: ``vit_tiny_patch16_224`` with other arguments."""
    import timm
    import torch

    torch.manual_seed(seed)
    return timm.create_model("vit_tiny_patch16_224", num_classes=classes, **timm_args(**shape)).eval()


def timm_args(**shape: int) -> dict[str, int]:
    """The arguments of a little ViT as timm calls them."""
    s = VIT | shape
    return {
        "img_size": s["image"],
        "patch_size": s["patch"],
        "embed_dim": s["dim"],
        "depth": s["depth"],
        "num_heads": s["heads"],
    }


def save_timm(folder: Path, model: Any = None, safe: bool = True, **config: Any) -> Any:
    """Save a little ViT as timm's own function saves it for the hub, and return the model."""
    from timm.models import save_for_hf

    model = model or timm_model()
    save_for_hf(model, str(folder), model_args=timm_args(), safe_serialization=safe, model_config=config)
    return model


def fine_tuned(parent: Any, seed: int, head: str = "head", classes: int | None = None) -> Any:
    """A copy of a model that lies near it, as after some training; with a new head if ``classes`` are given."""
    import copy

    import torch

    torch.manual_seed(seed)
    child = copy.deepcopy(parent)
    with torch.no_grad():
        for tensor in child.parameters():
            tensor += 0.003 * torch.randn_like(tensor)
    if classes:
        setattr(child, head, torch.nn.Linear(getattr(child, head).in_features, classes))
    return child.eval()


def huggingface_model(classes: int = 10, seed: int = 0, eps: float = HF_EPS, **config: Any) -> Any:
    """A little ``ViTForImageClassification`` with random weights."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(seed)
    settings = {
        "hidden_size": VIT["dim"],
        "num_hidden_layers": VIT["depth"],
        "num_attention_heads": VIT["heads"],
        "intermediate_size": 4 * VIT["dim"],
        "image_size": VIT["image"],
        "patch_size": VIT["patch"],
        "num_labels": classes,
        "layer_norm_eps": eps,
    }
    return ViTForImageClassification(ViTConfig(**settings | config)).eval()


def save_huggingface(folder: Path, model: Any = None, **config: Any) -> Any:
    """Save a model with its own ``save_pretrained``, and return it."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = model or huggingface_model(**config)
    model.save_pretrained(folder)
    return model


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as CSV under the columns of the first; ``None`` is an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def timm_tree(root: Path) -> dict[str, Any]:
    """Two backbones and four models fine-tuned from them, saved by timm, with ``factors.csv``; return models by key.

    Accuracies are in per cent, and one model has no parent in the folder.
    """
    models, rows = {}, []
    for seed in (1, 2):
        key = f"pre/seed{seed}"
        models[key] = save_timm(root / key, timm_model(seed=seed))
        factors = {"seed": seed, "lr": 1e-3, "optimizer": "AdamW", "wd": 1e-4, "bs": 256, "epochs": 90}
        rows.append({"path": key, **factors, "dataset": "imagenet-1k", "test_acc": 70 + seed, "parent": None})
        for optimizer in ("SGD", "AdamW"):
            key = f"ft/seed{seed}-{optimizer.lower()}"
            models[key] = save_timm(root / key, fine_tuned(models[f"pre/seed{seed}"], len(rows), classes=100))
            factors = {"seed": 42, "lr": 3e-3, "optimizer": optimizer, "wd": 0, "bs": 128, "epochs": 50}
            parent = f"pre/seed{seed}" if optimizer == "SGD" else f"elsewhere/seed{seed}"
            rows.append({"path": key, **factors, "dataset": "CIFAR-100", "test_acc": 80.5, "parent": parent})
    write_csv(root / "factors.csv", rows)
    return models


def huggingface_tree(root: Path) -> dict[str, Any]:
    """A backbone, and a model fine-tuned from it over two epochs as Hugging Face's trainer leaves it; models by key."""
    import json

    models = {"base": save_huggingface(root / "base", seed=1)}
    for epoch, step in ((1, 500), (2, 1000)):
        place = root / "tuned" / f"checkpoint-{step}"
        models[f"tuned/checkpoint-{step}"] = save_huggingface(place, fine_tuned(models["base"], epoch))
        history = [{"epoch": e, "eval_accuracy": e / 10, "eval_loss": 3.0 - e, "step": 500 * e} for e in (1, 2)]
        state = {"epoch": float(epoch), "global_step": step, "log_history": history[:epoch]}
        (place / "trainer_state.json").write_text(json.dumps(state))
    card = "---\nbase_model: me/base\ndatasets: [uoft-cs/cifar100]\nlicense: mit\n---\n# Tuned\n"
    (root / "tuned" / "README.md").write_text(card)
    return models


AUGREG_VIT = {"dim": 48, "heads": 3, "depth": 2, "patch": 4, "image": 8}  # a Ti has three heads
AUGREG_COLUMNS = ("name", "ds", "epochs", "lr", "aug", "wd", "do", "sd", "best_val", "final_val", "final_test")
AUGREG_COLUMNS += ("adapt_ds", "adapt_lr", "adapt_steps", "adapt_resolution", "adapt_final_val", "adapt_final_test")
AUGREG_COLUMNS += ("params", "infer_samples_per_sec", "filename", "adapt_filename")


def augreg_rows(names: tuple[str, ...] = ("Ti/16", "R26+S/32")) -> list[dict[str, Any]]:
    """Rows of a table like AugReg's: each model pre-trained twice, each of those adapted to two data sets."""
    rows = []
    for name in names:
        for ds, aug in (("i1k", "medium1"), ("i21k", "none")):
            plain = name.replace("+", "_").replace("/", "_")
            filename = f"{plain}-{ds}-300ep-lr_0.001-aug_{aug}-wd_0.03-do_0.0-sd_0.1"
            upstream = dict(zip(AUGREG_COLUMNS, (name, ds, 300, 0.001, aug, 0.03, 0.0, 0.1, 0.72, 0.7), strict=False))
            upstream["final_test"] = 0.68 if ds == "i1k" else None
            for data, steps in (("cifar100", 10_000), ("kitti", 500)):
                adapted = f"{filename}--{data}-steps_{steps // 1000}k-lr_0.01-res_224"
                own = (data, 0.01, steps, 224, 0.8, 0.79, 5_717_416, 610.0, filename, adapted)
                rows.append(upstream | dict(zip(AUGREG_COLUMNS[11:], own, strict=True)))
    return rows


def augreg_tree(root: Path) -> dict[str, Arrays]:
    """AugReg's ``index.csv`` beside the archives of one model and its adaptations, and of a hybrid; arrays by name."""
    root.mkdir(parents=True, exist_ok=True)
    rows = augreg_rows()
    write_csv(root / "index.csv", rows)
    wanted = [row for row in rows if row["ds"] == "i1k"]
    names = dict.fromkeys(name for row in wanted for name in (row["filename"], row["adapt_filename"]))
    arrays: dict[str, Arrays] = {}
    for seed, name in enumerate(names):
        arrays[name] = augreg_arrays(**AUGREG_VIT, classes=100 if "cifar100" in name else 10, seed=seed)
        upstream = arrays.get(name.partition("--")[0])
        if "--" in name and upstream:  # adapted: near the model it began with, but for the head
            near = {n: upstream[n] + 0.01 * a for n, a in arrays[name].items() if not n.startswith("head/")}
            arrays[name] |= {n: a.astype("f4") for n, a in near.items()}
        np.savez(root / f"{name}.npz", **arrays[name])
    return arrays

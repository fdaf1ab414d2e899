"""Factors in the keys of the published zoo's configs: the way back from a recipe, in the paper's reading of them."""

from collections.abc import Mapping
from typing import Any

from vitzoo.sharing.official.declared import DATASETS

_NAMES = {"imagenet": "ImageNet1K", "cifar100": "CIFAR100", "cifar10": "CIFAR10"}

Config = Mapping[str, Any]


def keys(config: Config, parent: Config | None) -> dict[str, Any]:
    """Return a member's factors under the published zoo's keys; ``config`` and ``parent`` are of this zoo.

    What the recipe leaves open is left out; zeros that mean "off" are ``None`` there.
    """
    recipe = config["recipe"]
    found = {**_training(recipe), **_model(recipe)}
    if parent is not None:
        found |= _finetuning(recipe, parent)
    return {name: value for name, value in found.items() if value is not ...}


def _training(recipe: Config) -> dict[str, Any]:
    h, source = recipe.get("hyperparameters", {}), recipe.get("dataset", {}).get("source", ...)
    contrastive = h.get("task") == "contrastive"
    return {
        "seed": h.get("seed", ...),
        "dataset::name": _NAMES.get(source, source) if isinstance(source, str) else source,
        "optim::optimizer": h.get("optimizer", ...),
        "optim::lr": h.get("lr", ...),
        "optim::momentum": h.get("momentum", ...),
        "optim::wd": h.get("weight_decay", ...),
        "optim::scheduler": None if h.get("schedule", "constant") == "constant" else h["schedule"],
        "training::epochs_train": h.get("epochs", ...),
        "training::batchsize": h.get("batch_size", ...),
        "training::loss": "info_nce" if contrastive else "stce",
        "training::mode": "cl" if contrastive else "sl",
        "training::temperature": h.get("temperature") or 0,
        "training::label_smoothing": h.get("label_smoothing") or None,
        "training::mixup": h.get("mixup") or None,
        "training::cutmix": h.get("cutmix") or None,
        "training::randerase": h.get("random_erasing") or None,
        "validation::loss": "info_nce" if contrastive else "ce",
    }


def _model(recipe: Config) -> dict[str, Any]:
    arch = recipe["architecture"]
    published = (arch["dim"], arch["depth"], arch["heads"], arch["patch_size"]) == (384, 12, 6, 16)
    kind = "vit_s_16" if published else f"vit_dim{arch['dim']}_depth{arch['depth']}_heads{arch['heads']}"
    return {
        "model::type": kind,
        "model::patch_size": arch["patch_size"],
        "model::channels_in": 3,
        "model::o_dim": arch["head"]["outputs"],
        "model::nlin": "gelu",
        "model::init_type": "kaiming_normal" if arch.get("init") == "released" else None,
        "model::dropout": 0,
        "model::attn_dropout": 0,
    }


def _finetuning(recipe: Config, parent: Config) -> dict[str, Any]:
    head = recipe["architecture"]["head"]
    task = parent["recipe"].get("hyperparameters", {}).get("task")
    return {
        "model::head::mlp": head["kind"] == "mlp",
        "model::head::hidden_dim": head.get("hidden"),
        "model::freeze_encoder": False,
        "pretraining::model": parent["name"],
        "pretraining::seed": parent["recipe"].get("hyperparameters", {}).get("seed", ...),
        "pretraining::mode": "cl" if task == "contrastive" else "sl",
        "pretraining::loss": "info_nce" if task == "contrastive" else "stce",
    }


assert set(_NAMES) == set(DATASETS.values())

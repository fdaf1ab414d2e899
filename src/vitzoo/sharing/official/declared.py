"""What a config of the published zoo declares, and what took effect.

The released code reads ``training::mixup`` where label smoothing belongs, ``training::cutmix`` where MixUp belongs, and
a key that no config has where CutMix belongs; it never reads the key of random erasing, and never passes stochastic
depth on. So a config that says 0.1, 0.8, 1.0 and 0.25 trained with label smoothing 0.8, MixUp 1.0, no CutMix and random
erasing 0.25 (the preset ``released`` is the same as a blueprint). ``by="paper"`` takes a config at its word instead.
"""

from collections.abc import Mapping
from typing import Any

from vitzoo.blueprint.sources import CLASSES
from vitzoo.errors import InputError, nearest
from vitzoo.zoo.rows import factors

READINGS = ("released", "paper")
DATASETS = {"imagenet1k": "imagenet", "imagenet": "imagenet", "cifar100": "cifar100", "cifar10": "cifar10"}
HEADS = {"vit_s_16": 6, "vit_small_patch16_224": 6}  # attention heads, which no shape of a weight tells
RANDOM_ERASING = 0.25  # the default of the released code, which passes nothing

Config = Mapping[str, Any]
Groups = dict[str, Any]

#: What the released code does to images, by stage and task (paper, Appendix A; its dump scripts).
_FINETUNING = {"crop": {"kind": "random", "resize": 256}, "flip": 0.5, "rotation": 10.0}
_SUPERVISED = {"crop": {"kind": "random_resized", "scale": [0.08, 1.0]}, "flip": 0.5}
_CONTRASTIVE = {
    **_SUPERVISED,
    "jitter": {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.1, "probability": 0.8},
    "grey": 0.2,
    "blur": {"kernel": 9, "sigma": [0.1, 2.0]},
}


def row(config: Config, stage: str, by: str = "released") -> dict[str, Any]:
    """Return the factors of a config as columns of a catalogue, with ``stage`` and, as far as it says, the head.

    >>> found = row({"seed": 42, "optim::optimizer": "adamw", "model::head::mlp": True}, "finetuning")
    >>> found["stage"], found["seed"], found["optimizer"], found["head"], found["task"]
    ('finetuning', 42, 'adamw', 'mlp', 'supervised')
    """
    head = {}
    if stage == "finetuning":
        mlp = bool(config.get("model::head::mlp"))
        head = {
            "head": "mlp" if mlp else "linear",
            "head_hidden": config.get("model::head::hidden_dim") if mlp else None,
        }
    return {"stage": stage, **head, **factors(effective(config, stage, by))}


def effective(config: Config, stage: str, by: str = "released") -> Groups:
    """Return the factors that took effect, in the groups of a recipe; what a config does not say is left out.

    ``by`` is whose reading of the keys: the released code's, or the paper's text.
    """
    check_reading(by)
    task = _task(config, stage)
    groups: Groups = {"architecture": _architecture(config), "dataset": _dataset(config)}
    groups["augmentation"] = (
        _FINETUNING if stage == "finetuning" else _CONTRASTIVE if task == "contrastive" else _SUPERVISED
    )
    optimizer = _name(config, "optim::optimizer", ("adamw", "sgd"))
    plain = {
        "seed": _get(config, "seed", int),
        "epochs": _get(config, "training::epochs_train", int),
        "batch_size": _get(config, "training::batchsize", int),
        "optimizer": optimizer,
        "lr": _get(config, "optim::lr", float),
        "momentum": 0.0 if optimizer == "adamw" else _get(config, "optim::momentum", float),
        "weight_decay": _get(config, "optim::wd", float),
        "schedule": "constant" if config.get("optim::scheduler", "") is None else None,
        "temperature": _get(config, "training::temperature", float) if task == "contrastive" else None,
    }
    groups["hyperparameters"] = {"task": task, **_said(plain), **_regularisation(config, task, by)}
    return {name: group for name, group in groups.items() if group}


def check_reading(by: str) -> None:
    """InputError if that is no reading."""
    if by not in READINGS:
        raise InputError(f"{by!r} is no reading of a config; use {' or '.join(READINGS)}.{nearest(by, READINGS)}")


def differences(config: Config, stage: str) -> list[str]:
    """Say where what took effect is not what the config declares, a clause each; also what was set and never read.

    >>> differences({"training::label_smoothing": 0.1, "training::mixup": 0.8}, "pretraining")[0]
    'label_smoothing is declared 0.1, took effect as 0.8'
    """
    done, meant = (effective(config, stage, by).get("hyperparameters", {}) for by in READINGS)
    found = [
        f"{name} is declared {meant.get(name, 0.0):g}, took effect as {value:g}"
        for name, value in done.items()
        if isinstance(value, float) and value != meant.get(name, 0.0)
    ]
    if config.get("model::freeze_encoder"):
        found.append("model::freeze_encoder is declared and was never read: the whole model was trained")
    for name in ("model::dropout", "model::attn_dropout"):
        if config.get(name):
            found.append(f"{name} is {config[name]}, which no recipe has")
    if config.get("optim::scheduler") is not None:
        found.append(f"optim::scheduler is {str(config['optim::scheduler'])[:80]}, which no recipe has")
    return found


def _task(config: Config, stage: str) -> str:
    said = (config.get("training::mode"), config.get("training::loss"))
    return "contrastive" if stage == "pretraining" and ("cl" in said or "info_nce" in said) else "supervised"


def _architecture(config: Config) -> Groups:
    heads = HEADS.get(str(config.get("model::type", "")).lower())
    return {**({"heads": heads} if heads else {}), **({"init": "released"} if "model::init_type" in config else {})}


def _dataset(config: Config) -> Groups:
    name = str(config.get("dataset::name", "")).lower().replace("-", "").replace("_", "")
    source = DATASETS.get(name)
    return {"source": source, "classes": CLASSES[source]} if source else {}


def _regularisation(config: Config, task: str, by: str) -> Groups:
    """Label smoothing, MixUp, CutMix and random erasing: shifted by one place in the released code."""
    if by == "paper":
        keys = ("training::label_smoothing", "training::mixup", "training::cutmix", "training::randerase")
    else:
        keys = ("training::mixup", "training::cutmix", "training::random_erase", None)
    names = ("label_smoothing", "mixup", "cutmix", "random_erasing")
    values = [RANDOM_ERASING if key is None else _get(config, key, float) or 0.0 for key in keys]
    return dict.fromkeys(names, 0.0) if task == "contrastive" else dict(zip(names, values, strict=True))


def _get(config: Config, key: str, kind: type) -> Any:
    """A number of this kind, ``None`` if the config has none under this key."""
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return kind(value) if kind is float or value == int(value) else None


def _name(config: Config, key: str, known: tuple[str, ...]) -> str | None:
    value = str(config.get(key, "")).lower()
    return value if value in known else None


def _said(values: Mapping[str, Any]) -> Groups:
    return {name: value for name, value in values.items() if value is not None}

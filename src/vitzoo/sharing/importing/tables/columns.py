"""What the columns of a table of models mean: factors of a recipe, metrics, parents, or nothing that a zoo knows.

The names are those that training scripts and published tables use: timm's and Hugging Face's arguments, model-soups'
``hparam_info.json`` (aug, wd, lr, mix, smoothing, epochs), exports of experiment trackers (``config/lr``).
"""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["factor", "metric", "parent", "heads", "architecture", "epoch", "dataset"]

#: Factors of a recipe's hyper-parameters by the names they go by.
FACTORS = {
    "task": ("task", "training_task", "mode", "training_mode"),
    "seed": ("seed", "random_seed", "rng_seed", "training_seed"),
    "epochs": ("epochs", "num_epochs", "n_epochs", "num_train_epochs", "max_epochs", "epochs_train", "me"),
    "batch_size": ("batch_size", "batchsize", "bs", "train_batch_size", "total_batch_size", "global_batch_size"),
    "optimizer": ("optimizer", "optimiser", "optim", "opt", "om"),
    "lr": ("lr", "learning_rate", "learningrate", "base_lr", "peak_lr", "max_lr", "initial_lr", "init_lr"),
    "momentum": ("momentum", "sgd_momentum"),
    "weight_decay": ("weight_decay", "weightdecay", "wd"),
    "schedule": ("schedule", "scheduler", "sched", "lr_schedule", "lr_scheduler", "lr_scheduler_type"),
    "warmup_epochs": ("warmup_epochs",),
    "clip": ("clip", "clip_grad", "grad_clip", "max_grad_norm", "gradient_clip_norm"),
    "label_smoothing": ("label_smoothing", "smoothing", "ls", "label_smoothing_factor"),
    "mixup": ("mixup", "mix", "mixup_alpha"),
    "cutmix": ("cutmix", "cutmix_alpha"),
    "random_erasing": ("random_erasing", "random_erase", "randerase", "reprob"),
    "stochastic_depth": ("stochastic_depth", "drop_path", "drop_path_rate", "sd"),
    "temperature": ("temperature",),
}
PARENTS = ("parent", "parent_model", "parent_name", "parent_id", "parent_path", "parent_member", "base_model")
PARENTS += ("base_model_id", "base_model_name", "pretrained", "pretrained_model", "pretrained_from", "pretrained_path")
PARENTS += ("init_from", "initialised_from", "initialized_from", "init_checkpoint", "finetuned_from", "source_model")
PARENTS += ("ancestor",)
OTHERS: dict[Kind, tuple[str, ...]] = {
    "parent": PARENTS,
    "heads": ("heads", "num_heads", "n_heads", "num_attention_heads"),
    "architecture": ("architecture", "arch", "timm_model", "timm_name"),
    "epoch": ("epoch", "checkpoint_epoch"),
    "dataset": ("dataset", "data", "ds", "dataset_name", "train_dataset", "training_data"),
}
#: Columns that may name the models, the likeliest first.
NAMES = ("path", "file", "filename", "file_name", "checkpoint", "checkpoint_path", "ckpt", "ckpt_path", "weights")
NAMES += (
    "model_path",
    "model",
    "model_name",
    "name",
    "member",
    "hf_model_id",
    "model_id",
    "repo_id",
    "repo",
    "id",
    "uid",
)
NAMES += (
    "key",
    "vitzoo_key",
    "run",
    "run_name",
    "run_id",
    "run_dir",
    "experiment",
    "exp",
    "directory",
    "dir",
    "folder",
)
NAMES += ("trial", "trial_id", "trial_name", "column_1")

_SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_SPLITS |= dict.fromkeys(("val", "valid", "validation", "eval", "evaluation", "dev"), "val")
_SCORES: dict[str, str] = dict.fromkeys(
    ("acc", "accuracy", "acc1", "top1", "acc_1", "top_1", "acc_top1", "accuracy_top1"), "acc"
)
_SCORES |= dict.fromkeys(("acc5", "top5", "acc_5", "top_5", "acc_top5", "accuracy_top5"), "acc5") | {"loss": "loss"}
_GROUPS = ("config", "hparams", "hparam", "params", "param", "args", "hp", "hyperparameters", "summary", "metrics")
_ALIASES = {alias: name for name, aliases in FACTORS.items() for alias in aliases}
_KINDS: dict[str, Kind] = {alias: kind for kind, aliases in OTHERS.items() for alias in aliases}


@dataclass(frozen=True)
class Meaning:
    """What a column is, and under which name a zoo has it."""

    kind: Kind
    name: str = ""


def normal(column: str) -> str:
    """Write a column's name in lower case with one ``_`` between its words.

    >>> normal("config/Learning Rate"), normal("testAcc"), normal("optim::wd")
    ('config_learning_rate', 'test_acc', 'optim_wd')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column)
    return "_".join(re.findall(r"[a-z0-9]+", spaced.lower()))


def meaning(column: str) -> Meaning | None:
    """Return what a column means, ``None`` if it is nothing that a zoo knows.

    >>> meaning("wd"), meaning("eval/accuracy"), meaning("aug")
    (Meaning(kind='factor', name='weight_decay'), Meaning(kind='metric', name='val_acc'), None)
    """
    name = normal(column)
    first, _, rest = name.partition("_")
    if first in _GROUPS and rest:
        name = rest
    if name in _ALIASES:
        return Meaning("factor", _ALIASES[name])
    if name in _KINDS:
        return Meaning(_KINDS[name])
    metric = _metric(name)
    return Meaning("metric", metric) if metric else None


def _metric(name: str) -> str | None:
    """Name a metric as a zoo does; one of no split keeps its own name, because which split it is of is not known."""
    name = name.removeprefix("final_").removeprefix("last_")
    if name in _SCORES:
        return {"acc": "accuracy", "acc5": "accuracy5", "loss": "loss"}[_SCORES[name]]
    first, _, rest = name.partition("_")
    front, _, last = name.rpartition("_")
    for split, score in ((first, rest), (last, front)):
        if split in _SPLITS and score in _SCORES:
            return f"{_SPLITS[split]}_{_SCORES[score]}"
    return None


def is_accuracy(metric: str) -> bool:
    """Say whether a metric is a share of images, which others may give in per cent.

    >>> is_accuracy("test_acc"), is_accuracy("accuracy5"), is_accuracy("val_loss")
    (True, True, False)
    """
    return not metric.endswith("loss")

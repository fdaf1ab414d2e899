"""Stage and parent of a member of the published zoo, as its config and its place say it. Pure."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from vitzoo.sharing.official.places import ROOTS

_NUMBER = re.compile(r"checkpoint_([0-9]{1,9})(?:/|$)", re.ASCII)

Config = Mapping[str, Any]


def stage_of(path: str, config: Config) -> str:
    """Stage of a member: what a folder above it is called, else whether its config speaks of pre-training.

    >>> stage_of("vit_cifar100_finetuned/a/b", {}), stage_of("trial_7", {"pretraining::model": "a"})
    ('finetuning', 'finetuning')
    """
    for part in PurePosixPath(path).parts[:-1]:
        if part in ROOTS:
            return ROOTS[part]
    return "finetuning" if any(name.startswith("pretraining::") for name in config) else "pretraining"


def parent_names(path: str, config: Config) -> list[str]:
    """What a fine-tuned member's parent may be called: as its config says, then as the folder it lies in.

    >>> parent_names("finetuning/a/b", {"pretraining::model": "c"}), parent_names("finetuning/b", {})
    (['c', 'a'], [])
    """
    said, above = config.get("pretraining::model"), PurePosixPath(path).parent.name
    names = (name for name in (said, above) if isinstance(name, str) and name and name not in ROOTS)
    return list(dict.fromkeys(names))


def parent_number(config: Config) -> int | None:
    """Number of the parent's checkpoint that a member began from, if its config says it.

    >>> parent_number({"pretraining::model::path": "/home/x/tune/checkpoint_000089/checkpoints"})
    89
    """
    path = config.get("pretraining::model::path")
    match = _NUMBER.search(path) if isinstance(path, str) else None
    return int(match[1]) if match else None

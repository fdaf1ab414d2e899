"""Where things lie in a zoo and which names are allowed. Pure: nothing here touches the disk."""

import re

from vitzoo.errors import InputError

FORMAT = 1
ZOO_JSON = "zoo.json"
BLUEPRINT = "blueprint.yaml"
CATALOGUE = "catalogue.parquet"
PRETRAINING = "pretraining"
FINETUNING = "finetuning"
MERGING = "merging"
GROWN = (PRETRAINING, FINETUNING)  # what a blueprint asks for; a zoo always has these
STAGES = (*GROWN, MERGING)
MEASURES = "measures"
GROW = ".grow"
FIGURES = "figures"
COPIES = (".git", ".cache")  # what git and the hub's client leave in a copy of a published zoo
CONFIG = "config.json"
RESULT = "result.json"
WEIGHTS = "model.safetensors"
MANIFEST = "manifest.json"
STAGING = ".staging-"
PUBLISHED = ("README.md", "LICENSE", "CITATION.cff", "croissant.json", ".gitattributes")
ROOT_FILES = frozenset({ZOO_JSON, BLUEPRINT, CATALOGUE, *PUBLISHED})
ROOT_DIRECTORIES = frozenset({*STAGES, MEASURES, GROW, FIGURES, *COPIES})
CHECKPOINT_FILES = frozenset({WEIGHTS, CONFIG, MANIFEST})

MEMBER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,127}", re.ASCII)
METRIC_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CHECKPOINT = re.compile(r"checkpoint_([0-9]{6,12})", re.ASCII)
_WINDOWS = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.ASCII | re.IGNORECASE)


def is_name(name: object) -> bool:
    """Say whether a member may have this name.

    >>> is_name("ft_linear_seed1-0a1b2c3d"), is_name("../x"), is_name("CON"), is_name("a.")
    (True, False, False, False)
    """
    return (
        isinstance(name, str)
        and MEMBER_NAME.fullmatch(name) is not None
        and not name.endswith(".")
        and _WINDOWS.fullmatch(name) is None
    )


def check_name(name: object) -> str:
    """Return the name, or raise InputError if no member may have it."""
    if not is_name(name):
        raise InputError(
            f"{str(name)[:160]!r} cannot be the name of a member. Use 1 to 128 letters, digits and '._=+-', "
            "starting with a letter or digit and not ending in a dot."
        )
    return str(name)


def checkpoint_name(epoch: int) -> str:
    """Name of the directory of an epoch.

    >>> checkpoint_name(5)
    'checkpoint_000005'
    """
    return f"checkpoint_{epoch:06d}"


def epoch_of(name: str) -> int | None:
    """Epoch of a checkpoint directory's name, ``None`` for any other name.

    >>> epoch_of("checkpoint_000005"), epoch_of("checkpoint_5"), epoch_of("checkpoint_0000005")
    (5, None, None)
    """
    match = _CHECKPOINT.fullmatch(name)
    epoch = int(match[1]) if match else None
    return epoch if epoch is not None and checkpoint_name(epoch) == name else None


def is_kept(checkpoints: dict, last: int, epoch: int) -> bool:
    """Say whether a recipe keeps an epoch; ``checkpoints`` is the recipe's field as plain data.

    >>> [e for e in range(6) if is_kept({"initial": True, "every": 2}, 5, e)]
    [0, 2, 4, 5]
    """
    if epoch == 0:
        return bool(checkpoints.get("initial", True))
    return epoch == last or epoch % int(checkpoints.get("every", 1)) == 0

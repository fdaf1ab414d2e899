"""The config of a folder with a model: timm's, Hugging Face's, a zoo's, or a script's own."""

from collections.abc import Mapping
from typing import Any

from vitzoo.errors import InputError
from vitzoo.sharing import foreign_json
from vitzoo.sharing.importing.layouts.folder import huggingface_config, timm_config, zoo_config
from vitzoo.sharing.importing.layouts.folder.facts import Facts
from vitzoo.sharing.importing.layouts.folder.models import CONFIG
from vitzoo.sharing.importing.layouts.folder.sheet import apply, understand
from vitzoo.sharing.importing.layouts.folder.tree import Folder
from vitzoo.sharing.importing.tables.table import Table

PREPROCESSOR = "preprocessor_config.json"
MAX_CONFIG = 8_000_000  # ImageNet-21k's names of classes, twice
#: Names of classes: a fact of the data set, and longer than all else together.
_LABELS = ("id2label", "label2id", "label_names", "label_descriptions")


def read(folder: Folder) -> Facts:
    """Return what the config in a folder says, and how its images are normalised.

    InputError, a clause, if its model is not the ViT of a zoo; or with a whole sentence if the config cannot be read.
    """
    path = folder.path / CONFIG
    config = foreign_json.parse(foreign_json.read_text(path, MAX_CONFIG), path, MAX_CONFIG)
    if not isinstance(config, dict):
        raise InputError(f"{path} does not hold a JSON object.")
    images: dict[str, list[float]] = {}
    if "model_type" in config:
        facts = huggingface_config.read(config)
        if PREPROCESSOR in folder.others:
            images = huggingface_config.normalisation(foreign_json.read_object(folder.path / PREPROCESSOR))
    elif "architecture" in config:
        facts = timm_config.read(config)
        images = timm_config.normalisation(config)
    else:
        facts = Facts()
        apply(facts, understand(Table(CONFIG, tuple(config), [list(config.values())], [""])), [0])
        facts.declared.clear()  # it is declared as the config below
    zoo_config.add(facts, config)
    for name, value in images.items():
        facts.recipe.setdefault("dataset", {}).setdefault(name, value)
    facts.declared["config"] = _without_labels(config)
    return facts


def _without_labels(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in config.items() if name not in _LABELS}
    if isinstance(cfg := kept.get("pretrained_cfg"), dict):
        kept["pretrained_cfg"] = {name: value for name, value in cfg.items() if name not in _LABELS}
    return kept

"""Target ``timm``: a directory for each checkpoint that ``timm.create_model("local-dir:…", pretrained=True)`` opens.

A checkpoint's own directory is one already, if its head is linear: its weights are linked or copied as they are. An
MLP head is nothing that stock timm has: the backbone is written as a model without head and the head beside it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitzoo.analysis.words import counted
from vitzoo.model.timm_names import LINEAR, describe
from vitzoo.sharing.exporting import files, heads, images
from vitzoo.sharing.exporting.contract import Exporter, Item, Order, Survey, Tell, at_folder
from vitzoo.sharing.exporting.each import each
from vitzoo.sharing.exporting.facts import README, origin
from vitzoo.sharing.exporting.model import Model, model_of
from vitzoo.sharing.exporting.surveying import survey_models
from vitzoo.zoo import safetensors_io
from vitzoo.zoo.layout import CONFIG, WEIGHTS

USAGE = """\
Every directory is a model of stock timm:

```python
import timm

model = timm.create_model("local-dir:{folder}", pretrained=True)
transform = timm.data.create_transform(**timm.data.resolve_data_config(model=model))
```
"""
PUT_ON = """\
import timm, torch
from safetensors.torch import load_file

model = timm.create_model("local-dir:{folder}", pretrained=True)
model.head = torch.nn.Sequential({layers})
model.head.load_state_dict(load_file("{folder}/head.safetensors"))
"""


def config(model: Model, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return config.json: the member's own with timm's keys made anew, as the shapes of its tensors confirm them.

    Of an MLP head it says nothing: it is the config of the backbone. ``crop_pct`` is the member's.
    """
    from vitzoo.blueprint.schema import Dataset

    keys = describe(model.arch, Dataset.model_validate({"source": "digits", "mean": model.mean, "std": model.std}))
    outputs = 0 if model.mlp else model.outputs
    size = model.arch.image_size
    keys["model_args"].pop("head_hidden", None)
    keys |= {"architecture": LINEAR, "num_classes": outputs}
    keys["pretrained_cfg"] |= {
        "num_classes": outputs,
        "classifier": "head",
        "crop_pct": images.crop_share(images.resized(model.recipe, size), size),
    }
    return {**own, **keys}


def survey(order: Order, tell: Tell) -> Survey:
    """Check every config against the tensors; say how many models have an MLP head."""
    return survey_models(order, tell, files=2)


def write(order: Order, folder: Path, tell: Tell) -> tuple[str, ...]:
    """Write a directory for each checkpoint; say what was linked and what was copied."""
    linked, copied = [], []

    def one(item: Item) -> None:
        place = folder / item.folder
        place.mkdir(parents=True)
        model = model_of(item.checkpoint.member)
        files.write_json(place / CONFIG, config(model, item.checkpoint.member.config) | origin(order.zoo, item))
        if model.mlp:
            _write_parts(item, model, place)
        elif not order.copy and files.link(item.checkpoint, place / WEIGHTS):
            linked.append(item)
        else:
            files.copy(item.checkpoint, place / WEIGHTS)
            copied.append(item)

    each(one, order.items, "Exporting", tell)
    return _notes(len(linked), len(copied))


def usage(order: Order) -> str:
    """Say how a directory is opened, and a head put on."""
    return heads.usage(order, USAGE, put_on)


def put_on(item: Item, folder: str) -> str:
    """Return Python that opens an exported backbone and puts its MLP head on."""
    return PUT_ON.format(folder=folder, layers=heads.layers(model_of(item.checkpoint.member)))


def _write_parts(item: Item, model: Model, place: Path) -> None:
    backbone, head = heads.split(files.checked(item.checkpoint))
    safetensors_io.write(place / WEIGHTS, backbone)
    safetensors_io.write(place / heads.FILE, head)
    files.write_text(place / README, heads.readme(item, put_on(item, ".")))


def _notes(linked: int, copied: int) -> tuple[str, ...]:
    notes = []
    if linked:
        notes.append(
            f"The weights of {counted(linked, 'checkpoint')} are hard links to the zoo's files: they take no space, "
            "were not read, and must be replaced rather than edited in place. --copy makes copies."
        )
    if copied:
        notes.append(f"The weights of {counted(copied, 'checkpoint')} are copies, whose digests were checked.")
    return tuple(notes)


EXPORTER = Exporter(
    "timm",
    "a directory for each checkpoint that stock timm opens",
    survey,
    write,
    at_folder,
    usage,
    frozenset({"copy"}),
)

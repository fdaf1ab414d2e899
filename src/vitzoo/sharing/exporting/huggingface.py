"""Target ``huggingface``: a directory for each checkpoint that transformers' ``from_pretrained`` opens.

With a linear head it is a ``ViTForImageClassification``. With an MLP head, which that class has not, it is a
``ViTModel`` without pooler and the head beside it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.sharing.exporting import files, heads, images
from vitzoo.sharing.exporting.classes import labels
from vitzoo.sharing.exporting.contract import Exporter, Item, Order, Survey, Tell, at_folder
from vitzoo.sharing.exporting.each import each
from vitzoo.sharing.exporting.facts import README, origin
from vitzoo.sharing.exporting.model import Model, model_of
from vitzoo.sharing.exporting.surveying import survey_models
from vitzoo.sharing.names.huggingface import from_timm
from vitzoo.zoo import safetensors_io
from vitzoo.zoo.layout import CONFIG, WEIGHTS

if TYPE_CHECKING:
    from vitzoo.blueprint.schema import Backbone

PREPROCESSOR = "preprocessor_config.json"
BICUBIC = 3  # as Pillow counts
USAGE = """\
Every directory is a model of transformers, with the preparation of its images:

```python
from transformers import AutoImageProcessor, ViTForImageClassification

model = ViTForImageClassification.from_pretrained("{folder}")
processor = AutoImageProcessor.from_pretrained("{folder}")
```
"""
PUT_ON = """\
import torch
from safetensors.torch import load_file
from transformers import ViTModel

backbone = ViTModel.from_pretrained("{folder}", add_pooling_layer=False)
head = torch.nn.Sequential({layers})
head.load_state_dict(load_file("{folder}/head.safetensors"))


def logits(pixel_values):
    return head(backbone(pixel_values).last_hidden_state[:, 0])
"""


def config(model: Model) -> dict[str, Any]:
    """Return what transformers reads of config.json: the keys of its ``ViTConfig``."""
    arch = model.arch
    return {
        "architectures": ["ViTModel" if model.mlp else "ViTForImageClassification"],
        "model_type": "vit",
        **_sizes(arch),
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-6,
        "qkv_bias": True,
        "encoder_stride": arch.patch_size,
        **({} if model.mlp else _outputs(model)),
    }


def preprocessor(model: Model) -> dict[str, Any]:
    """Return preprocessor_config.json: the shorter side resized, the centre cut, normalised, as for the member.

    The class is that of BiT, which does these steps in every version; ViT's own did not cut before version 5.
    """
    size = model.arch.image_size
    return {
        "image_processor_type": "BitImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": images.resized(model.recipe, size)},
        "resample": BICUBIC,
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(model.mean),
        "image_std": list(model.std),
    }


def survey(order: Order, tell: Tell) -> Survey:
    """Check every config against the tensors; say how many models have an MLP head."""
    return survey_models(order, tell, files=3)


def write(order: Order, folder: Path, tell: Tell) -> tuple[str, ...]:
    """Write a directory for each checkpoint; the digests of the weights are checked as they are read."""

    def one(item: Item) -> None:
        place = folder / item.folder
        place.mkdir(parents=True)
        model = model_of(item.checkpoint.member)
        files.write_json(place / CONFIG, config(model) | origin(order.zoo, item))
        files.write_json(place / PREPROCESSOR, preprocessor(model))
        tensors = files.checked(item.checkpoint)
        if model.mlp:
            tensors, head = heads.split(tensors)
            safetensors_io.write(place / heads.FILE, head)
            files.write_text(place / README, heads.readme(item, put_on(item, ".")))
        safetensors_io.write(place / WEIGHTS, from_timm(tensors))

    each(one, order.items, "Exporting", tell)
    return ()


def usage(order: Order) -> str:
    """Say how a directory is opened, and a head put on."""
    return heads.usage(order, USAGE, put_on)


def put_on(item: Item, folder: str) -> str:
    """Return Python that opens an exported backbone and puts its MLP head on."""
    return PUT_ON.format(folder=folder, layers=heads.layers(model_of(item.checkpoint.member)))


def _sizes(arch: "Backbone") -> dict[str, int]:
    from vitzoo.model.shapes import CHANNELS, hidden

    return {
        "image_size": arch.image_size,
        "patch_size": arch.patch_size,
        "num_channels": CHANNELS,
        "hidden_size": arch.dim,
        "num_hidden_layers": arch.depth,
        "num_attention_heads": arch.heads,
        "intermediate_size": hidden(arch),
    }


def _outputs(model: Model) -> dict[str, Any]:
    """Name the outputs where they are classes whose names are known, and count them otherwise."""
    names = labels(model.recipe, model.outputs)
    if names is None:
        return {"num_labels": model.outputs}
    return {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }


EXPORTER = Exporter(
    "huggingface",
    "a directory for each checkpoint that Hugging Face transformers opens",
    survey,
    write,
    at_folder,
    usage,
)

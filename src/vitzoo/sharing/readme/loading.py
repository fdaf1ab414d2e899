"""How a zoo is used, shown on one of its own checkpoints: vitzoo, timm, plain safetensors, and the catalogue."""

import json
from collections.abc import Sequence

from vitzoo.sharing.readme.about import About

_TREE = """\
```
catalogue.parquet                               one row per checkpoint: factors, metrics, lineage, digests
pretraining/<member>/                           members without a parent
finetuning/<parent>/<member>/                   members with one
merging/<member>/                               members that were merged from others, if there are any
    config.json                                 the recipe, the lineage, timm's keys
    result.json                                 one line per epoch: losses and accuracies
    checkpoint_000005/model.safetensors         the weights after epoch 5
                      config.json               the member's config.json
                      manifest.json             digests, origin, metrics
zoo.json, blueprint.yaml                        the zoo itself, and what was asked for
```"""


def tree() -> str:
    """Show where things lie."""
    return _TREE


def heads(a: About) -> str:
    """Say which members stock timm opens."""
    if "mlp" not in a.heads:
        return "Every member's architecture is one of timm's."
    linear = "Members with a linear head need nothing more. " if "linear" in a.heads else ""
    return (
        f"{linear}An MLP head (Linear, ReLU, Linear) is no part of timm's models: `import vitzoo.model.timm_entry` "
        "first registers it, or use vitzoo."
    )


def opened(a: About, place: str) -> str:
    """Show how it is opened with vitzoo; ``place`` is a path or an address."""
    lines = ["import vitzoo", "", f"zoo = vitzoo.open({quoted(place)})"]
    lines.append("table = zoo.table()  # one row per checkpoint")
    if a.example:
        lines += [
            f"checkpoint = zoo.checkpoint({quoted(a.example['member'])})",
            "model = checkpoint.to_timm()  # its last checkpoint; zoo.checkpoint(name, epoch) is another",
        ]
    return python(lines)


def in_timm(a: About, folder: Sequence[str], imports: Sequence[str] = ()) -> str:
    """Show how a checkpoint is opened in timm and with safetensors; ``folder`` are lines that define its directory."""
    mlp = a.example is not None and a.example.get("head") == "mlp"
    entry = ["import vitzoo.model.timm_entry  # registers the MLP head"] if mlp else []
    return python(
        [
            "import timm",
            *imports,
            "from safetensors.numpy import load_file",
            *entry,
            "",
            *folder,
            'model = timm.create_model(f"local-dir:{folder}", pretrained=True)',
            'weights = load_file(f"{folder}/model.safetensors")  # or without timm: a dict of arrays',
        ]
    )


def python(lines: Sequence[str]) -> str:
    """Return lines as a block of code."""
    return "\n".join(["```python", *lines, "```"])


def quoted(text: str) -> str:
    """Write a text as Python does, in double quotes.

    >>> print(quoted("a/b"))
    "a/b"
    """
    return json.dumps(text, ensure_ascii=False)

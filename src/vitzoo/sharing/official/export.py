"""Target ``official``: the published zoo's tree, which its code and `vitzoo import` read; nothing is lost on the way.

``pretraining/<member>/`` and ``finetuning/<parent>/<member>/`` with ``config.json``, ``result.json`` and
``checkpoint_<epoch>/checkpoints``, a pickled state dict under the names of the published module (``vit.…``). Beside the
published keys a config has what an import needs to make the same zoo again, under ``vitzoo::``.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.analysis.words import counted
from vitzoo.sharing.exporting import files
from vitzoo.sharing.exporting.contract import Exporter, Item, Order, Survey, Tell
from vitzoo.sharing.exporting.each import each
from vitzoo.sharing.official import told
from vitzoo.sharing.official.places import HEAD, OURS, RESULT
from vitzoo.zoo import Member
from vitzoo.zoo.layout import BLUEPRINT, CONFIG, FORMAT, MERGING, WEIGHTS, ZOO_JSON, checkpoint_name
from vitzoo.zoo.strict_json import encode

if TYPE_CHECKING:
    from vitzoo.zoo import Zoo

PICKLE = "checkpoints"
PREFIX = "vit."
OVERHEAD = 24_000  # bytes of a pickle beyond its tensors: names, shapes and the archive's table
USAGE = """\
The tree of the published ViT zoo: its own code reads it, and `vitzoo import` makes the same zoo of it again.

```python
import torch

state = torch.load("{path}/checkpoints", weights_only=True)
state = {{name.removeprefix("vit."): tensor for name, tensor in state.items()}}  # timm's names
```
"""


def survey(order: Order, tell: Tell) -> Survey:
    """Count what will be written; merged members have no place in this tree."""
    kept = _kept(order)
    size = sum(item.row["size"] + OVERHEAD for item in kept)
    merged = len(order.items) - len(kept)
    notes = (f"{counted(merged, 'merged checkpoint')} left out, for which the tree has no place.",) if merged else ()
    return Survey(len(kept) + 2 * len(order.members) + 2, size, notes)


def write(order: Order, folder: Path, tell: Tell) -> tuple[str, ...]:
    """Write members' configs and curves, then all weights, whose digests are checked as they are read."""
    _write_head(order.zoo, folder / HEAD)
    for items in order.members:
        if items[0].checkpoint.member.stage != MERGING:
            _write_member(items, folder)
    each(lambda item: _write_weights(item, folder), _kept(order), "Exporting", tell)
    return survey(order, tell).notes


def _write_head(zoo: "Zoo", folder: Path) -> None:
    """Write what is said of the zoo as a whole, which the published layout has no place for."""
    folder.mkdir()
    head = {"format": FORMAT, "name": zoo.name, "licence": zoo.licence, "execution": zoo.execution}
    files.write_text(folder / ZOO_JSON, encode(head).decode())
    files.write_text(folder / BLUEPRINT, zoo.blueprint_text)


def usage(order: Order) -> str:
    """Say how a checkpoint is opened."""
    return USAGE.format(path=_place(_kept(order)[0]) if _kept(order) else "…")


def locate(order: Order, index: int) -> dict[str, Any]:
    """Say where an item lies."""
    item = order.items[index]
    return {"path": None if item.checkpoint.member.stage == MERGING else _place(item)}


def _kept(order: Order) -> list[Item]:
    return [item for item in order.items if item.checkpoint.member.stage != MERGING]


def _folder(member: Member) -> Path:
    parent = member.config["parent"]
    return Path(member.stage, *([parent["member"]] if parent else []), member.name)


def _place(item: Item) -> str:
    return (_folder(item.checkpoint.member) / checkpoint_name(item.checkpoint.epoch)).as_posix()


def _write_member(items: list[Item], root: Path) -> None:
    member = items[0].checkpoint.member
    folder = root / _folder(member)
    folder.mkdir(parents=True)
    parent = member.parent
    source = member.imported
    published = source["declared"] if source and source["layout"] == "official" else None
    config = published or told.keys(member.config, parent.config if parent else None)
    ours = {
        "config": member.config,
        "epochs": member.epochs(),
        "origin": member.checkpoint(member.epochs()[0]).manifest["parent"],
        "checkpoints": {str(item.checkpoint.epoch): _told(item) for item in items},
    }
    files.write_json(folder / CONFIG, {**config, **{f"{OURS}{name}": value for name, value in ours.items()}})
    lines = [{**line, "training_iteration": line["epoch"]} for line in member.curve()]
    files.write_text(folder / RESULT, "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))


def _told(item: Item) -> dict[str, Any]:
    """Return what a checkpoint's manifest says that the tree does not show."""
    manifest = item.checkpoint.manifest
    return {"sha256": manifest["files"][WEIGHTS]["sha256"], "source": manifest.get("source")}


def _write_weights(item: Item, root: Path) -> None:
    import torch

    tensors = files.checked(item.checkpoint)
    folder = root / _place(item)
    folder.mkdir()
    torch.save({f"{PREFIX}{name}": torch.from_numpy(array) for name, array in tensors.items()}, folder / PICKLE)


EXPORTER = Exporter("official", "the published zoo's own tree", survey, write, locate, usage)

"""MLP heads, which no stock model of timm or Hugging Face has: a file of their own, and how they are put on."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from vitzoo.sharing.exporting.contract import Item, Order
from vitzoo.sharing.exporting.model import Model, model_of

if TYPE_CHECKING:
    import numpy as np

    Tensors = dict[str, np.ndarray]

FILE = "head.safetensors"
HEAD = "head."  # how names of its tensors begin
README = """\
# {name}, epoch {epoch}

The head of this model is an MLP, which no stock model has. `model.safetensors` is the backbone, `head.safetensors` the
head: Linear, ReLU, Linear. Run in this directory, this makes the whole model of them:

```python
{code}```

`config.json` says under `vitzoo` where the weights come from, and their licence.
"""
USAGE = """\
Where there is a `head.safetensors` the head is an MLP, which no stock model has: `model.safetensors` is then the
backbone, and these lines put the head on. The README.md of each such directory has its own.

```python
{code}```
"""


def split(tensors: "Tensors") -> "tuple[Tensors, Tensors]":
    """Return the backbone, and the head under the names that ``torch.nn.Sequential`` gives it.

    >>> split({"norm.bias": 1, "head.0.bias": 2})
    ({'norm.bias': 1}, {'0.bias': 2})
    """
    backbone = {name: array for name, array in tensors.items() if not name.startswith(HEAD)}
    return backbone, {name.removeprefix(HEAD): array for name, array in tensors.items() if name.startswith(HEAD)}


def layers(model: Model) -> str:
    """Write the layers of an MLP head as Python."""
    dim, hidden = model.arch.dim, model.arch.head.hidden
    return f"torch.nn.Linear({dim}, {hidden}), torch.nn.ReLU(), torch.nn.Linear({hidden}, {model.outputs})"


def readme(item: Item, code: str) -> str:
    """Write the README of a directory with an MLP head."""
    return README.format(name=item.row["member"], epoch=item.row["epoch"], code=code)


def usage(order: Order, stock: str, put_on: Callable[[Item, str], str]) -> str:
    """Say how a stock model is opened, and an MLP head put on, each if there is one, for the README of an export.

    ``stock`` is text with a ``{folder}``; ``put_on`` writes Python that puts the head of an item in a folder on.
    """
    plain, mlp = _examples(order)
    said = [stock.format(folder=plain.folder)] if plain else []
    return "\n".join(said + ([USAGE.format(code=put_on(mlp, mlp.folder))] if mlp else []))


def _examples(order: Order) -> tuple[Item | None, Item | None]:
    """Return the first item that is a stock model, and the first with an MLP head."""
    found: dict[bool, Item] = {}
    for items in order.members:
        found.setdefault(model_of(items[0].checkpoint.member).mlp, items[0])
    return found.get(False), found.get(True)

"""Batches of models that have different numbers of tokens."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import default_collate

Item = tuple[dict[str, Tensor], Any]


def pad(items: Sequence[Item]) -> tuple[dict[str, Tensor], Any]:
    """Collate tokens of different models, filled up with zeros outside the mask to the longest; ``collate_fn=pad``.

    >>> import torch
    >>> def item(n):
    ...     return {"tokens": torch.ones(n, 4), "mask": torch.ones(n, 4, dtype=torch.bool)}, torch.tensor(0.5)
    >>> x, y = pad([item(2), item(3)])
    >>> x["tokens"].shape, x["mask"].sum(dim=(1, 2)).tolist()
    (torch.Size([2, 3, 4]), [8, 12])
    """
    found = {name: pad_sequence([x[name] for x, _ in items], batch_first=True) for name in items[0][0]}
    return found, default_collate([y for _, y in items])

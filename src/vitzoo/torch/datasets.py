"""The two kinds of dataset: one that is asked by index, and one that reads in an order that suits the disk."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from vitzoo import rng
from vitzoo.errors import InputError
from vitzoo.torch.source import Source
from vitzoo.zoo import Zoo

T = TypeVar("T")


class Checkpoints(Source, Dataset):
    """Map-style: ``data[i]`` is (x, y) of the checkpoint that ``data.rows[i]`` describes. Arguments as ``Source``.

    >>> import vitzoo
    >>> zoo = vitzoo.open("zoos/nano")  # doctest: +SKIP
    >>> data = Checkpoints(zoo, "head = 'linear'", form="tokens", targets=("test_acc", "optimizer"))  # doctest: +SKIP
    >>> x, y = data[0]  # doctest: +SKIP
    >>> x["tokens"].shape, data.levels["optimizer"][int(y["optimizer"])]  # doctest: +SKIP
    """

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.read(range(len(self.rows))[index])


class Stream(Source, IterableDataset):
    """Streaming: members in random order, the checkpoints of each as they lie on disk, mixed by a buffer.

    Every checkpoint comes once in a pass, whatever the number of a DataLoader's workers; the order depends on it. With
    a buffer of 1 nothing is shuffled: with one worker, it is the catalogue's order. Arguments as ``Source``, and:

    Args:
        buffer: models in memory of each worker, of which one drawn at random comes next.
        seed: of the order, together with the epoch (``set_epoch``).
        shard: (i, n): only the i-th of n shares, for processes that train together, with equally many workers each.

    >>> data = Stream("zoos/nano", epochs="all", part="backbone", targets="epoch", buffer=64)  # doctest: +SKIP
    """

    def __init__(
        self,
        zoo: Zoo | str | Path,
        where: str | None = None,
        *,
        buffer: int = 16,
        seed: int = 0,
        shard: tuple[int, int] = (0, 1),
        **options: Any,
    ) -> None:
        if buffer < 1 or not 0 <= shard[0] < shard[1]:
            raise InputError(f"A buffer of {buffer} and a shard {shard} do not fit: at least 1, and (i, n) with i < n.")
        super().__init__(zoo, where, **options)
        self.buffer, self.seed, self.shard = buffer, seed, shard

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        worker = get_worker_info()
        own, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        share = self.shard[0] * workers + own
        mine = self.order()[share :: self.shard[1] * workers]
        draw = rng.stream(self.seed, "buffer", self.epoch, share)
        return mixed((self.read(index) for index in mine), self.buffer, draw)

    def order(self) -> list[int]:
        """Return the rows in the order in which all workers together read them in this epoch."""
        if self.buffer == 1:
            return list(range(len(self.rows)))
        groups: dict[str, list[int]] = {}
        for index, row in enumerate(self.rows):
            groups.setdefault(row["member"], []).append(index)
        names = sorted(groups, key=lambda name: rng.fold(self.seed, "members", self.epoch, name))
        return list(itertools.chain.from_iterable(groups[name] for name in names))


def mixed(items: Iterable[T], size: int, draw: np.random.Generator) -> Iterator[T]:
    """Yield all items, each drawn from a buffer of this size; a buffer of 1 keeps their order.

    >>> sorted(mixed(range(5), 2, rng.stream(0))), list(mixed(range(3), 1, rng.stream(0)))
    ([0, 1, 2, 3, 4], [0, 1, 2])
    """
    buffer: list[T] = []
    for item in items:
        buffer.append(item)
        if len(buffer) >= size:
            yield _taken(buffer, draw)
    while buffer:
        yield _taken(buffer, draw)


def _taken(buffer: list[T], draw: np.random.Generator) -> T:
    place = int(draw.random() * len(buffer))
    buffer[place], buffer[-1] = buffer[-1], buffer[place]
    return buffer.pop()

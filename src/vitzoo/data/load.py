"""From a blueprint's `dataset` to images."""

import hashlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from vitzoo.blueprint.schema import Dataset
from vitzoo.data import cache as store
from vitzoo.data.images import Images
from vitzoo.data.sources import find
from vitzoo.data.sources.base import Part, Raw, Request, Source
from vitzoo.data.subset import balanced
from vitzoo.errors import DataError


def load(
    dataset: Dataset,
    image_size: int,
    root: Path,
    cache: Path,
    download: bool = False,
    progress: store.Progress | None = None,
) -> Images:
    """Return a data set, decoded once into ``cache`` and mapped into memory from then on.

    ``root`` is where relative paths and downloads lie; nothing is downloaded unless ``download`` is true.
    ``progress(done, total)`` is called as images are decoded. Images are kept as squares of side
    ``dataset.cache_size``, by default their own size or, if that is more than image_size·8/7, that: the shorter
    side is resized (bicubic, antialiased) and the centre cut. For ImageNet this differs from the usual pipelines,
    which crop at random from the whole, full-size picture: here a random crop sees the central square at 256
    pixels (for image_size 224).

    Raises DataError when data is missing or not in the declared form, and says what to put where.

    >>> import tempfile
    >>> images = load(Dataset(source="digits"), 16, Path("data"), Path(tempfile.mkdtemp()))
    >>> images.x_train.shape, images.x_test.shape, images.classes
    ((1437, 16, 16, 3), (360, 16, 16, 3), 10)
    """
    source, argument = find(dataset.source)
    request = Request(dataset, argument, image_size, Path(root), download)
    side = dataset.cache_size or source.side(request)
    folder = Path(cache) / _key(source, request, side)
    if not folder.exists():
        store.write(folder, side, partial(_limited, source, request), progress)
    return store.read(folder)


def _key(source: Source, request: Request, side: int) -> str:
    # What changes no byte is left out; a known number of classes may be spelled out or not.
    ignored = {"mean", "std", "cache_size"} | (set() if request.argument else {"classes"})
    settings = request.dataset.model_dump(mode="json", exclude=ignored)
    content = {"settings": settings, "side": side, "version": source.version, "stamp": source.stamp(request)}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return f"{request.dataset.source.partition(':')[0]}-{side}-{digest[:16]}"


def _limited(source: Source, request: Request) -> Raw:
    raw, dataset = source.read(request), request.dataset
    train = _limit(raw.train, dataset.train_limit, "train")
    return replace(raw, train=train, test=_limit(raw.test, dataset.test_limit, "test"))


def _limit(part: Part, limit: int | None, split: str) -> Part:
    if limit is None:
        return part
    if limit > len(part.labels):
        raise DataError(f"{split}_limit is {limit}, but there are only {len(part.labels)} images; lower or drop it.")
    chosen = balanced(part.labels, limit, "limit", split)
    return Part(part.labels[chosen], partial(_chosen, part, chosen))


def _chosen(part: Part, chosen: np.ndarray, positions: np.ndarray, side: int) -> np.ndarray:
    return part.decode(chosen[positions], side)

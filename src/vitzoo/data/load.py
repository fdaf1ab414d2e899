"""From a blueprint's `dataset` to images."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vitzoo.blueprint.fractals import resolve
from vitzoo.blueprint.schema import Dataset
from vitzoo.data import cache as store
from vitzoo.data.images import Images
from vitzoo.data.live import LiveImages
from vitzoo.data.sources import find
from vitzoo.data.sources.base import Part, Raw, Request, Source
from vitzoo.data.subset import balanced
from vitzoo.errors import DataError

Where = TypeVar("Where")
Got = TypeVar("Got")


def load(
    dataset: Dataset,
    image_size: int,
    root: Path,
    cache: Path,
    download: bool = False,
    progress: store.Progress | None = None,
) -> Images:
    """Return a data set, decoded once into ``cache`` and mapped into memory from then on; live fractals are drawn.

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
    request = Request(resolve(dataset, image_size), argument, image_size, Path(root), download)
    side = dataset.cache_size or source.side(request)
    if request.dataset.fractals and request.dataset.fractals.live:
        return _live(source, request, side)
    folder = Path(cache) / _key(source, request, side)
    if not folder.exists():
        store.write(folder, side, partial(_limited, source, request), progress)
    return store.read(folder)


def _live(source: Source, request: Request, side: int) -> Images:
    raw = _limited(source, request)
    assert raw.train.draw and raw.test.draw, "only a source that makes its images can be asked for them live"
    train = LiveImages(len(raw.train.labels), side, raw.train.draw)
    test = LiveImages(len(raw.test.labels), side, raw.test.draw)
    return Images(train, raw.train.labels, test, raw.test.labels, raw.classes, _digest(source, request, side))


def _key(source: Source, request: Request, side: int) -> str:
    return f"{request.dataset.source.partition(':')[0]}-{side}-{_digest(source, request, side)[:16]}"


def _digest(source: Source, request: Request, side: int) -> str:
    """Digest all that determines the bytes of the images."""
    # What changes no byte is left out; a known number of classes may be spelled out or not.
    ignored: dict[str, Any] = dict.fromkeys(("mean", "std", "cache_size"), True) | {"fractals": {"live"}}
    if not request.argument:
        ignored["classes"] = True
    settings = request.dataset.model_dump(mode="json", exclude=ignored)
    content = {"settings": settings, "side": side, "version": source.version, "stamp": source.stamp(request)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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
    draw = partial(_chosen, part.draw, chosen) if part.draw else None
    return Part(part.labels[chosen], partial(_chosen, part.decode, chosen), draw)


def _chosen(get: Callable[[np.ndarray, Where], Got], chosen: np.ndarray, positions: np.ndarray, where: Where) -> Got:
    return get(chosen[positions], where)

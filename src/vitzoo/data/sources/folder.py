"""``folder:PATH``: ``train/<class>/*`` and ``test/<class>/*`` (or ``val``), any image format Pillow reads.

Classes are the folders of ``train`` in alphabetical order. The default side is that of the first image.
"""

from pathlib import Path

from vitzoo.data.sources import files
from vitzoo.data.sources.base import Raw, Request, Source, expect_classes, missing, natural
from vitzoo.errors import DataError


def _splits(request: Request) -> tuple[Path, Path]:
    train = request.path / "train"
    tests = [request.path / name for name in ("test", "val") if (request.path / name).is_dir()]
    if not train.is_dir() or not tests:
        then = "put the images into train/<class>/ and test/<class>/ (or val/<class>/) there."
        raise missing("a data set of image files", request.path, then)
    return train, tests[0]


def _stamp(request: Request) -> str:
    return files.stamp(*_splits(request), deep=True)


def _side(request: Request) -> int:
    train = _splits(request)[0]
    for name in files.folders(train):
        for path in files.pictures(train / name)[:1]:
            return natural(files.shorter_side(path), request.image_size)
    raise DataError(f"{train} holds no image files; expected {train / '<class>' / '<image>'}.")


def _read(request: Request) -> Raw:
    train, test = _splits(request)
    classes = files.folders(train)
    unknown = sorted(set(files.folders(test)) - set(classes))
    if unknown:
        raise DataError(f"{test} has classes that {train} lacks: {', '.join(unknown[:5])}.")
    known = expect_classes(request.dataset, len(classes))
    return Raw(files.by_class(train, classes), files.by_class(test, classes), known)


SOURCE = Source(version=1, stamp=_stamp, side=_side, read=_read)

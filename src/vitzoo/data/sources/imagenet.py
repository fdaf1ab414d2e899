"""``imagenet``: ILSVRC 2012 as ``imagenet/train/<wnid>/*.JPEG`` and ``imagenet/val/<wnid>/*.JPEG`` under the root.

There is no public download; the archives come from image-net.org after registration. Classes are the wnids in
alphabetical order, as everywhere; a subset of them is a data set of its own, ``folder:PATH``.
Images are kept as squares of image_size·8/7 pixels, 256 for 224, the centre of the resized picture.
"""

from vitzoo.data.sources import files
from vitzoo.data.sources.base import Raw, Request, Source, expect_classes, missing

_FOLDER = "imagenet"


def _stamp(request: Request) -> str:
    path = request.root / _FOLDER
    return files.stamp(path / "train", path / "val", deep=False)


def _side(request: Request) -> int:
    return int(request.image_size * 8 / 7)


def _read(request: Request) -> Raw:
    path = request.root / _FOLDER
    train, val = files.folders(path / "train"), files.folders(path / "val")
    if not train or train != val:
        then = "unpack ILSVRC2012 there as train/<wnid>/*.JPEG and val/<wnid>/*.JPEG, the same wnids in both."
        raise missing("ImageNet", path, then)
    classes = expect_classes(request.dataset, len(train), 1000)
    return Raw(files.by_class(path / "train", train), files.by_class(path / "val", train), classes)


SOURCE = Source(version=1, stamp=_stamp, side=_side, read=_read)

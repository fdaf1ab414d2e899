"""``tiny-imagenet``: 200 classes of 64×64 pixels (Le & Yang 2015), the official folder ``tiny-imagenet-200``.

``train/<wnid>/images/*.JPEG``, ``val/images/*.JPEG`` and ``val/val_annotations.txt``; the official test split has no
public labels, so ``val`` is the test split. Classes are the wnids in alphabetical order.
"""

from pathlib import Path

from vitzoo.data.sources import files
from vitzoo.data.sources.base import Part, Raw, Request, Source, expect_classes, missing, natural
from vitzoo.errors import DataError

_FOLDER = "tiny-imagenet-200"


def _stamp(request: Request) -> str:
    path = request.root / _FOLDER
    return files.stamp(path / "train", path / "val", deep=False)


def _side(request: Request) -> int:
    return natural(64, request.image_size)


def _read(request: Request) -> Raw:
    path = request.root / _FOLDER
    wnids, notes = files.folders(path / "train"), path / "val" / "val_annotations.txt"
    if not wnids or not notes.is_file():
        then = "unpack the official tiny-imagenet-200.zip there (train/, val/, val/val_annotations.txt)."
        raise missing("Tiny-ImageNet", path, then)
    classes = expect_classes(request.dataset, len(wnids), 200)
    return Raw(files.by_class(path / "train", wnids, "images"), _val(notes, wnids), classes)


def _val(notes: Path, wnids: list[str]) -> Part:
    label = {wnid: number for number, wnid in enumerate(wnids)}
    rows = [line.split("\t")[:2] for line in notes.read_text().splitlines() if line.strip()]
    if any(len(row) != 2 or row[1] not in label for row in rows):
        raise DataError(f"{notes} is not a list of 'image<tab>wnid…' with wnids of the folder train.")
    paths = [notes.parent / "images" / name for name, _ in rows]
    return files.part(paths, (label[wnid] for _, wnid in rows))


SOURCE = Source(version=1, stamp=_stamp, side=_side, read=_read)

"""``npz:PATH``: four arrays in one NumPy file.

``x_train``, ``x_test``: uint8 [N, H, W, 3]; ``y_train``, ``y_test``: integers [N] in [0, classes). Nothing is
unpickled.
"""

import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from vitzoo.data.decode import fit_arrays
from vitzoo.data.sources.base import Part, Raw, Request, Source, expect_classes, missing, natural
from vitzoo.errors import DataError

_FORM = "x_train and x_test (uint8 [N, H, W, 3]) and y_train and y_test (integers [N])"


def _checked(request: Request) -> Path:
    if not request.path.is_file():
        raise missing("the data file", request.path, f"put an .npz file there that holds {_FORM}.")
    return request.path


def _stamp(request: Request) -> str:
    stat = _checked(request).stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _arrays(path: Path, *keys: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            absent = sorted(set(keys) - set(file.files))
            if absent:
                raise DataError(f"{path} lacks {', '.join(absent)}; it must hold {_FORM}.")
            return {key: file[key] for key in keys}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as an .npz file of plain arrays: {error}") from error


def _fail(path: Path, key: str, found: object, expected: str) -> DataError:
    return DataError(f"{path}: {key} is {found}, expected {expected}.")


def _check_images(path: Path, key: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    if dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
        raise _fail(path, key, f"{dtype} {list(shape)}", "uint8 [N, H, W, 3]")


def _check_labels(path: Path, key: str, y: np.ndarray, n: int, classes: int | None) -> None:
    if y.dtype.kind not in "iu" or y.shape != (n,):
        raise _fail(path, key, f"{y.dtype} {list(y.shape)}", f"integers [{n}], one for each image")
    top = classes - 1 if classes else np.iinfo(np.int64).max
    if y.min() < 0 or y.max() > top:
        raise _fail(path, key, f"from {y.min()} to {y.max()}", f"labels from 0 to {top}")


def _side(request: Request) -> int:
    path = _checked(request)
    try:
        with zipfile.ZipFile(path) as archive, archive.open("x_train.npy") as member:
            # The header alone: a cached data set must not cost reading the arrays again.
            version = np.lib.format.read_magic(member)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(member)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: x_train cannot be read ({error}); the file must hold {_FORM}.") from error
    _check_images(path, "x_train", dtype, shape)
    return natural(min(shape[1:3]), request.image_size)


def _read(request: Request) -> Raw:
    path, classes = _checked(request), request.dataset.classes
    arrays = _arrays(path, "x_train", "y_train", "x_test", "y_test")
    parts = []
    for split in ("train", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        _check_images(path, f"x_{split}", x.dtype, x.shape)
        _check_labels(path, f"y_{split}", y, len(x), classes)
        parts.append(Part(y.astype(np.int64), partial(_decode, x)))
    found = 1 + max(int(part.labels.max()) for part in parts)
    # A class may have no image here, so the blueprint's number stands where the labels stay below it.
    return Raw(*parts, classes=classes or expect_classes(request.dataset, found))


def _decode(x: np.ndarray, positions: np.ndarray, side: int) -> np.ndarray:
    return fit_arrays(x[positions], side)


SOURCE = Source(version=1, stamp=_stamp, side=_side, read=_read)

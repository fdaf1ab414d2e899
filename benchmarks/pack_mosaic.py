"""Pack mosaic zips (one picture of tiles for each split and class) into a file for the source ``npz:PATH``.

Usage: python benchmarks/pack_mosaic.py IN.zip [IN2.zip …] OUT.npz

Several inputs are parts of one data set. The split ``val`` counts as the test split. Each zip holds ``index.json``
(size, cols, classes, and for each split a list of {file, class, n}) beside the pictures.
"""

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

Split = tuple[np.ndarray, np.ndarray]


def tiles(picture: np.ndarray, size: int, n: int) -> np.ndarray:
    """Cut a picture [R·size, C·size, 3] into its first ``n`` tiles, row by row: [n, size, size, 3]."""
    rows, columns = picture.shape[0] // size, picture.shape[1] // size
    cut = picture.reshape(rows, size, columns, size, 3).swapaxes(1, 2)
    return cut.reshape(rows * columns, size, size, 3)[:n]


def read(paths: list[Path], splits: tuple[str, ...]) -> Split:
    """Read the splits of those names from all parts: images uint8 [N, size, size, 3] and labels int64 [N]."""
    images, labels = [], []
    for path in paths:
        with zipfile.ZipFile(path) as archive:
            index = json.loads(archive.read("index.json"))
            for entry in [entry for name in splits for entry in index["splits"].get(name, [])]:
                with Image.open(io.BytesIO(archive.read(entry["file"]))) as picture:
                    images.append(tiles(np.asarray(picture.convert("RGB")), index["size"], entry["n"]))
                labels.append(np.full(entry["n"], entry["class"], np.int64))
    if not images:
        raise SystemExit(f"none of the splits {', '.join(splits)} is in {', '.join(map(str, paths))}")
    return np.concatenate(images), np.concatenate(labels)


def main(arguments: list[str]) -> None:
    """Pack the inputs into the last argument."""
    if len(arguments) < 2:
        raise SystemExit(__doc__)
    *inputs, out = map(Path, arguments)
    x_train, y_train = read(inputs, ("train",))
    x_test, y_test = read(inputs, ("test", "val"))
    np.savez_compressed(out, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    print(f"{out}: {len(y_train)} training and {len(y_test)} test images, {y_train.max() + 1} classes")


if __name__ == "__main__":
    main(sys.argv[1:])

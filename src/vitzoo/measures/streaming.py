"""One pass over the weights of many checkpoints, piece by piece, so that memory does not grow with the models' size.

A piece is the same run of one tensor in all checkpoints that have it. Pieces are dealt to processes, one per core
where there is enough to do; each sums moments and inner products over its pieces, and the sums are added up.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from vitzoo.errors import IntegrityError
from vitzoo.measures import moments
from vitzoo.measures.gram import Gram
from vitzoo.zoo import safetensors_io

PIECE = 96 << 20  # bytes of one piece of all checkpoints; a process holds about two
ALONE = 1 << 30  # bytes up to which processes cost more than they bring
Tell = Callable[[int, int], None]  # (done, total), in bytes


@dataclass(frozen=True)
class Run:
    """Where a part of a tensor lies in one file: bytes from ``begin``, and how its numbers are stored."""

    begin: int
    dtype: str


@dataclass(frozen=True)
class Piece:
    """``size`` numbers from ``start`` of the part ``name``, read from the files at ``rows``."""

    name: str
    rows: tuple[int, ...]
    begins: tuple[int, ...]
    dtypes: tuple[str, ...]
    size: int
    in_backbone: bool


@dataclass
class Sums:
    """What one pass leaves: moments [M, 7] of each part, and the products of the backbones if they were asked for."""

    moments: dict[str, np.ndarray]
    products: np.ndarray | None = None
    squares: np.ndarray | None = None


def plan(files: Sequence[Mapping[str, Run]], sizes: Mapping[str, int], backbone: set[str]) -> list[Piece]:
    """Cut parts into pieces, in the order in which they lie in the files.

    ``files`` gives for each file the parts it has; ``sizes`` their numbers of elements, equal in all files that
    have them; ``backbone`` the parts that enter distances.
    """
    found = []
    for name in sorted(sizes, key=lambda part: min(file[part].begin for file in files if part in file)):
        rows = tuple(i for i, file in enumerate(files) if name in file)
        step = max(1024, PIECE // (4 * len(rows)))
        for start in range(0, sizes[name], step):
            begins = tuple(files[i][name].begin + start * _width(files[i][name].dtype) for i in rows)
            dtypes = tuple(files[i][name].dtype for i in rows)
            found.append(Piece(name, rows, begins, dtypes, min(step, sizes[name] - start), name in backbone))
    return found


def run(
    paths: Sequence[Path], pieces: Sequence[Piece], reference: np.ndarray | None, tell: Tell = lambda done, total: None
) -> Sums:
    """Read all pieces once and return the sums.

    ``reference`` [M], as ``Gram`` takes it, asks for distances; then every backbone part must be in all files.
    IntegrityError names a file that is shorter than its header says.
    """
    total = sum(piece.size * len(piece.rows) * 4 for piece in pieces)
    workers = 1 if total < ALONE else min(os.cpu_count() or 1, len(pieces))
    groups = [group for i in range(0, len(pieces), 8 * workers) for group in _deal(pieces[i : i + 8 * workers], workers)]
    done, found = 0, []
    if workers == 1:
        for group in groups:
            found.append(read(paths, group, reference))
            tell(done := done + _bytes(group), total)
    else:
        with _single_threaded(), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            results = pool.map(read, *zip(*((paths, group, reference) for group in groups), strict=True))
            for group, sums in zip(groups, results, strict=True):
                found.append(sums)
                tell(done := done + _bytes(group), total)
    return _add(found)


def read(paths: Sequence[Path], pieces: Sequence[Piece], reference: np.ndarray | None) -> Sums:
    """Read some pieces and sum over them."""
    partial: dict[str, list[np.ndarray]] = {}
    gram = None if reference is None else Gram(reference)
    with ExitStack() as stack:
        files = {i: stack.enter_context(_opened(paths[i])) for i in {row for piece in pieces for row in piece.rows}}
        for piece in pieces:
            x = np.empty((len(piece.rows), piece.size), np.float32)
            for k, i in enumerate(piece.rows):
                _fill(x[k], files[i], piece.begins[k], piece.dtypes[k], paths[i])
            own = np.full((len(paths), len(moments.COLUMNS)), np.nan)
            own[list(piece.rows)] = moments.of_rows(x)
            partial.setdefault(piece.name, []).append(own)
            if gram is not None and piece.in_backbone:
                gram.add(x)
    merged = {name: moments.merge(np.stack(each, axis=1)) for name, each in partial.items()}
    return Sums(merged, gram.products, gram.squares) if gram else Sums(merged)


def _add(found: Sequence[Sums]) -> Sums:
    by_name: dict[str, list[np.ndarray]] = {}
    for sums in found:
        for name, values in sums.moments.items():
            by_name.setdefault(name, []).append(values)
    merged = {name: moments.merge(np.stack(each, axis=1)) for name, each in by_name.items()}
    products = [sums.products for sums in found if sums.products is not None]
    squares = [sums.squares for sums in found if sums.squares is not None]
    if not products:
        return Sums(merged)
    return Sums(merged, np.sum(products, axis=0), np.sum(squares, axis=0))


def _deal(pieces: Sequence[Piece], hands: int) -> Iterator[Sequence[Piece]]:
    """Deal neighbours to one hand, so that each process reads its files from front to back."""
    size = -(-len(pieces) // hands)
    yield from (pieces[i : i + size] for i in range(0, len(pieces), size))


def _bytes(pieces: Sequence[Piece]) -> int:
    return sum(piece.size * len(piece.rows) * 4 for piece in pieces)


def _width(dtype: str) -> int:
    return safetensors_io.DTYPES[dtype][1]


def _fill(row: np.ndarray, descriptor: int, begin: int, dtype: str, path: Path) -> None:
    """Read numbers of any stored type into a float32 row."""
    if dtype == "F32":
        target = row
    else:
        target = np.empty(len(row), safetensors_io.DTYPES[dtype][0])
    view, offset = target.view("u1").data, 0
    while offset < len(view):
        count = os.preadv(descriptor, [view[offset:]], begin + offset)
        if count == 0:
            raise IntegrityError(f"{path} ends early. Run `vitzoo verify`.")
        offset += count
    if dtype == "BF16":
        row[:] = (target.astype("<u4") << np.uint32(16)).view("<f4")
    elif dtype != "F32":
        row[:] = target


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Give processes started here one BLAS thread each: there is one process per core already."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value

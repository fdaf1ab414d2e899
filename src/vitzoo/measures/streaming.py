"""One pass over the weights of many checkpoints, piece by piece, so that memory does not grow with the models' size.

A piece is the same run of one tensor in all checkpoints that have it. ``run`` deals pieces to processes, one per core
where there is enough to do; each sums moments and inner products over its pieces, and the sums are added up. ``each``
keeps the sums of groups of pieces apart, and deals the groups to threads.
"""

import os
import resource
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from errno import EMFILE
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from threadpoolctl import threadpool_limits

from vitzoo.errors import IntegrityError, VitzooError
from vitzoo.measures import moments
from vitzoo.measures.gram import Gram
from vitzoo.measures.scopes import Part, is_head
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
    """``size`` numbers of a part, read from the files at ``rows``, in each from its byte in ``begins``."""

    part: Part
    rows: tuple[int, ...]
    begins: tuple[int, ...]
    dtypes: tuple[str, ...]
    size: int


@dataclass
class Sums:
    """What one pass leaves: moments [M, 5] of each part; of the backbones' differences from their references the
    squared lengths [M], and the inner products [M, M] if they were asked for, else [0, 0] (see ``Gram``).
    """

    moments: dict[Part, np.ndarray]
    products: np.ndarray
    squares: np.ndarray


def plan(files: Sequence[Mapping[Part, Run]]) -> list[Piece]:
    """Cut the parts that files have into pieces, in the order in which they lie there.

    Parts of one name and another shape, such as the heads of two tasks, are two parts.
    """
    rows_of: dict[Part, list[int]] = {}
    for i, file in enumerate(files):
        for part in file:
            rows_of.setdefault(part, []).append(i)
    found = []
    for part in sorted(rows_of, key=lambda part: files[rows_of[part][0]][part].begin):
        rows = rows_of[part]
        step = max(1024, PIECE // (4 * len(rows)))
        for start in range(0, part.size, step):
            runs = [files[i][part] for i in rows]
            begins = tuple(run.begin + start * _width(run.dtype) for run in runs)
            found.append(Piece(part, tuple(rows), begins, tuple(r.dtype for r in runs), min(step, part.size - start)))
    return found


def run(
    paths: Sequence[Path],
    pieces: Sequence[Piece],
    reference: np.ndarray,
    pairwise: bool = True,
    tell: Tell = lambda done, total: None,
) -> Sums:
    """Read all pieces once and return the sums; backbone parts must be in all files.

    ``reference`` [M] and ``pairwise`` are as ``Gram`` takes them. IntegrityError names a file that is shorter than its
    header says; VitzooError says that files cannot be opened or that a process was killed.
    """
    total = _bytes(pieces)
    workers = 1 if total < ALONE else min(_cores(), len(pieces))
    groups = [
        group for i in range(0, len(pieces), 8 * workers) for group in _deal(pieces[i : i + 8 * workers], workers)
    ]
    done, products, squares = 0, np.zeros((len(reference) if pairwise else 0,) * 2), np.zeros(len(reference))
    partial: dict[Part, list[np.ndarray]] = {}
    for group, sums in zip(groups, _each(paths, groups, reference, pairwise, workers), strict=True):
        products += sums.products  # at once: with thousands of files each is large
        squares += sums.squares
        for part, values in sums.moments.items():
            partial.setdefault(part, []).append(values)
        tell(done := done + _bytes(group), total)
    return Sums(_merged(partial), products, squares)


def _each(
    paths: Sequence[Path], groups: Sequence[Sequence[Piece]], reference: np.ndarray, pairwise: bool, workers: int
) -> Iterator[Sums]:
    """Yield what ``read`` finds in each group of pieces."""
    if workers == 1:
        yield from (read(paths, group, reference, pairwise) for group in groups)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_ignore_interrupts) as pool:
        try:
            yield from pool.map(read, *zip(*((paths, group, reference, pairwise) for group in groups), strict=True))
        except BrokenProcessPool:
            raise VitzooError(
                "A process that reads weights was killed, probably because memory ran out. What was measured before is "
                "kept; choose fewer checkpoints with --where, or free memory, and repeat."
            ) from None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal signals the whole group; the caller decides


def read(paths: Sequence[Path], pieces: Sequence[Piece], reference: np.ndarray, pairwise: bool) -> Sums:
    """Read some pieces and sum over them."""
    with _reading(paths, [pieces]) as files:
        return _sums(paths, files, pieces, reference, pairwise, _memory([pieces]))


def each(paths: Sequence[Path], groups: Sequence[Sequence[Piece]], reference: np.ndarray) -> Iterator[Sums]:
    """Yield the sums over each group of pieces, with inner products, in the order of the groups.

    Until the last is taken BLAS has one thread here. Threads are as fast as processes at this (130 ViT-S on 2 cores):
    they start at once, share open files and need a third of the memory.
    """
    workers = min(_cores(), len(groups))
    memories: SimpleQueue[np.ndarray] = SimpleQueue()  # kept between groups: fresh memory costs as much as reading
    for _ in range(workers):
        memories.put(_memory(groups))
    ahead = [*groups[workers:], *([] for _ in range(workers))]
    with _reading(paths, groups) as files, ThreadPoolExecutor(workers) as pool:

        def one(group: Sequence[Piece], later: Sequence[Piece]) -> Sums:
            memory = memories.get()
            try:
                if later:
                    _announce(later[0], files)
                return _sums(paths, files, group, reference, True, memory)
            finally:
                memories.put(memory)

        try:
            yield from pool.map(one, groups, ahead)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _reading(paths: Sequence[Path], groups: Sequence[Sequence[Piece]]) -> Iterator[Mapping[int, int]]:
    """Open the files that pieces lie in; descriptors by row."""
    _allow_open_files(len(paths) + 64)
    # One thread for BLAS: there is a process or thread per core already, and small products are not worth two.
    with ExitStack() as stack, threadpool_limits(1):
        rows = {row for pieces in groups for piece in pieces for row in piece.rows}
        yield {i: stack.enter_context(_opened(paths[i])) for i in rows}


def _memory(groups: Sequence[Sequence[Piece]]) -> np.ndarray:
    """Return room for any piece."""
    return np.empty(max(len(piece.rows) * piece.size for pieces in groups for piece in pieces), np.float32)


def _sums(
    paths: Sequence[Path],
    files: Mapping[int, int],
    pieces: Sequence[Piece],
    reference: np.ndarray,
    pairwise: bool,
    memory: np.ndarray,
) -> Sums:
    partial: dict[Part, list[np.ndarray]] = {}
    gram = Gram(reference, pairwise)
    # What is not finite is found in the sums, so that it can be named with its file.
    with np.errstate(invalid="ignore", over="ignore"):
        for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
            x = memory[: len(piece.rows) * piece.size].reshape(len(piece.rows), piece.size)
            for k, i in enumerate(piece.rows):
                _fill(x[k], files[i], piece.begins[k], piece.dtypes[k], paths[i])
            if following is not None:
                _announce(following, files)
            own = np.full((len(paths), len(moments.COLUMNS)), np.nan)
            own[list(piece.rows)] = moments.of_rows(x)
            partial.setdefault(piece.part, []).append(own)
            if not is_head(piece.part.name):
                gram.add(x)
    return Sums(_merged(partial), gram.products, gram.squares)


def numbers(paths: Sequence[Path], runs: Sequence[Run], count: int) -> np.ndarray:
    """Read the first ``count`` numbers of a part of every file: float32 [M, count]."""
    return samples(paths, [[run] for run in runs], [count])


def samples(paths: Sequence[Path], runs: Sequence[Sequence[Run]], counts: Sequence[int]) -> np.ndarray:
    """Read the first ``counts`` numbers of some parts of every file, one after another: float32 [M, sum of counts]."""
    found = np.empty((len(paths), sum(counts)), np.float32)
    bounds = [0, *accumulate(counts)]
    for row, path, own in zip(found, paths, runs, strict=True):
        with _opened(path) as descriptor:
            for run, left, right in zip(own, bounds[:-1], bounds[1:], strict=True):
                _fill(row[left:right], descriptor, run.begin, run.dtype, path)
    return found


def _merged(parts: Mapping[Part, list[np.ndarray]]) -> dict[Part, np.ndarray]:
    return {part: moments.merge(np.stack(each, axis=1)) for part, each in parts.items()}


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
    target = row if dtype == "F32" else np.empty(len(row), safetensors_io.DTYPES[dtype][0])
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


def _announce(piece: Piece, files: Mapping[int, int]) -> None:
    """Let the system fetch a piece from disk while the one before is worked on."""
    if hasattr(os, "posix_fadvise"):
        for i, begin, dtype in zip(piece.rows, piece.begins, piece.dtypes, strict=True):
            os.posix_fadvise(files[i], begin, piece.size * _width(dtype), os.POSIX_FADV_WILLNEED)


def _allow_open_files(count: int) -> None:
    """Raise the process's own limit of open files as far as needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        advice = "Raise the limit (ulimit -n), or choose fewer" if error.errno == EMFILE else "Run `vitzoo verify`"
        raise VitzooError(f"{path} cannot be opened: {error.strerror}. {advice}.") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)

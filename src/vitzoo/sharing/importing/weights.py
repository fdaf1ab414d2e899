"""The weights of surveyed members, one member after another, in a zoo's form: converted, or as they lie."""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

from vitzoo.errors import InputError, IntegrityError
from vitzoo.model.shapes import parameter_shapes
from vitzoo.sharing.importing.quarantine.pool import Converted, Pool
from vitzoo.sharing.importing.survey import File, Found
from vitzoo.sharing.names.architecture import infer
from vitzoo.zoo import safetensors_io
from vitzoo.zoo.commit import Ready

AHEAD = 3  # files per worker that are converted before they are asked for

Outcome = Ready | InputError


def of_members(
    members: Sequence[Found], root: Path, pool: Pool, in_place: bool = False
) -> Iterator[tuple[Found, dict[int, Outcome]]]:
    """Yield each member with its weights by epoch; an InputError stands for weights that could not be read.

    With ``in_place``, files that are in a zoo's form are taken as they lie, and only others are converted.
    """
    jobs = ((found, epoch, file) for found in members for epoch, file in sorted(found.checkpoints.items()))
    ahead: deque[tuple[Found, int, Future[Ready]]] = deque()
    done: dict[int, Outcome] = {}
    more = True
    while more or ahead:
        while more and len(ahead) < AHEAD * pool.workers:
            if (job := next(jobs, None)) is None:
                more = False
                break
            found, epoch, file = job
            ahead.append((found, epoch, pool.submit(_ready, pool, file, root, found, in_place)))
        if not ahead:
            return
        found, epoch, future = ahead.popleft()
        try:
            done[epoch] = future.result()
        except InputError as error:
            done[epoch] = error
        if len(done) == len(found.checkpoints):
            yield found, done
            done = {}


def _ready(pool: Pool, file: File, root: Path, found: Found, in_place: bool) -> Ready:
    known = found.recipe.get("architecture", {})
    if in_place and (as_it_lies := _as_it_lies(file.path, known)):
        return as_it_lies
    place = file.path.relative_to(root).as_posix()
    called = place.removeprefix(f"{found.key}/")
    converted: Converted = pool.convert(file.path, known, called)
    if not converted.finite:
        found.notes.append(f"{called} has numbers that are not finite")
    source = {"file": place, **converted.source}
    return Ready(converted.path, converted.sha256, converted.size, source)


def _as_it_lies(path: Path, known: dict) -> Ready | None:
    """Return a file as it is if a zoo could hold it so: safetensors, timm's names, all shapes of one architecture."""
    if path.suffix != ".safetensors" or path.is_symlink():
        return None
    try:
        shapes = {name: slot.shape for name, slot in safetensors_io.read_header(path).items()}
        if set(shapes) != set(parameter_shapes(infer(shapes, known))):
            return None
    except (IntegrityError, InputError):
        return None  # the conversion says what is wrong with it
    with path.open("rb", buffering=0) as file:
        return Ready(path, hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size, lies=True)

"""The process that converts: it reads jobs from stdin, one JSON line each, and answers with one line each on stdout.

Started by ``pool`` as ``python -m vitzoo.sharing.importing.quarantine.child OUTBOX``; it writes into OUTBOX and nowhere
else, and says when it is ready. A job is ``{"source", "target", "known"}``; the answer has the digests and whether all
numbers are finite, or ``{"error"}``.
"""

import hashlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from vitzoo.errors import VitzooError
from vitzoo.model.shapes import parameter_shapes
from vitzoo.sharing.importing.quarantine import locks, reading
from vitzoo.sharing.names import augreg, convert
from vitzoo.sharing.names.architecture import infer
from vitzoo.zoo import safetensors_io

READY = "ready"


def main(outbox: Path) -> None:
    """Answer jobs until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library might print is no answer
    _warm_up(outbox)
    locks.no_effects(outbox)
    print(READY, file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = convert_file(Path(job["source"]), outbox / Path(job["target"]).name, job["known"])
        except locks.Forbidden as error:
            answer = {"error": f"reading it was stopped, because {error}"}
        except MemoryError:
            answer = {"error": "reading it took far more memory than the file has bytes"}
        except (VitzooError, OSError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


def convert_file(source: Path, target: Path, known: dict[str, Any]) -> dict[str, Any]:
    """Write the weights in ``source`` to ``target`` as a zoo stores them: timm's names, in timm's order."""
    size = source.stat().st_size
    locks.memory(size)
    with source.open("rb", buffering=0) as file:
        original = hashlib.file_digest(file, "sha256").hexdigest()
    arrays = reading.read(source)
    if convert.AUGREG in arrays:  # the one format whose arrays tell the number of heads
        known = {"heads": augreg.heads(arrays), **known}
    state = convert.to_timm(arrays)
    shapes = parameter_shapes(infer({name: tuple(array.shape) for name, array in state.items()}, known))
    ordered = {name: np.ascontiguousarray(state[name]) for name in shapes}
    sha256, written = safetensors_io.write(target, ordered)
    finite = all(_is_finite(array) for array in ordered.values() if array.dtype.kind == "f")
    return {"sha256": sha256, "size": written, "source": {"sha256": original, "size": size}, "finite": finite}


def _is_finite(array: np.ndarray) -> bool:
    with np.errstate(all="ignore"):  # a sum is a quick look; only where it is not finite does every number count
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def _warm_up(outbox: Path) -> None:
    """Read a file of each kind, so that all that reading imports is there before nothing can be imported any more."""
    plain = {"w": torch.zeros(1), "half": torch.zeros(1, dtype=torch.bfloat16)}
    for legacy in (False, True):
        path = outbox / f"warm-up-{os.getpid()}"
        torch.save({"model": plain}, path, _use_new_zipfile_serialization=not legacy)
        reading.read(path)
        path.unlink()
    archive = io.BytesIO()
    np.savez(archive, w=np.zeros(1))
    for data in (archive.getvalue(), save(plain)):
        path = outbox / f"warm-up-{os.getpid()}"
        path.write_bytes(data)
        reading.read(path)
        path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

"""Models as lineage sees them: files of weights whose backbones have one shape; no names, no metadata."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures import scopes, streaming
from vitzoo.measures.scopes import Part
from vitzoo.measures.streaming import Run
from vitzoo.zoo import safetensors_io


@dataclass(frozen=True)
class Models:
    """Files of n models, and where the parts of the backbone lie in each."""

    paths: Sequence[Path]
    runs: Sequence[dict[Part, Run]]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def parts(self) -> list[Part]:
        """The backbone's parts, in the order of the first file."""
        return list(self.runs[0])

    def matrices(self, scope: str) -> Iterator[tuple[Part, np.ndarray]]:
        """Read the parts of a scope one after another: float32 [n, rows, columns] each."""
        for part in self.parts:
            if scopes.SCOPES[scope].holds(part.name, part.shape):
                yield part, self.read(part).reshape(len(self), *part.shape)

    def read(self, part: Part) -> np.ndarray:
        """Read one part of all models: float32 [n, size]."""
        return streaming.numbers(self.paths, [runs[part] for runs in self.runs], part.size)


def open_models(paths: Sequence[Path]) -> Models:
    """Read the headers of safetensors files with timm's names; heads are left out.

    InputError if there is none, or if backbones differ in shape, with both names. IntegrityError if a file is damaged.
    """
    if not paths:
        raise InputError("There is no model to recover a lineage of.")
    runs = [_runs(path) for path in paths]
    for path, other in zip(paths, runs, strict=True):
        if set(other) != set(runs[0]):
            name = min({part.name for part in set(other) ^ set(runs[0])})
            raise InputError(
                f"{path} and {paths[0]} have backbones of different shapes ({name}), so there is no distance between "
                "them. Recover the lineage of each architecture by itself."
            )
    return Models(paths, [{part: other[part] for part in runs[0]} for other in runs])


def _runs(path: Path) -> dict[Part, Run]:
    slots = safetensors_io.read_header(path)
    if not slots or any(0 in slot.shape for slot in slots.values()):
        raise IntegrityError(f"{path} holds no tensors, or one without numbers.")
    found = {}
    for part in scopes.parts({name: slot.shape for name, slot in slots.items()}):
        if not scopes.is_head(part.name):
            slot = slots[part.source]
            found[part] = Run(slot.begin + part.begin * safetensors_io.DTYPES[slot.dtype][1], slot.dtype)
    return found

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
    """Files of n models, where the parts of the backbone lie in each, and what shape each one's head has."""

    paths: Sequence[Path]
    runs: Sequence[dict[Part, Run]]
    heads: Sequence[frozenset[tuple[str, tuple[int, ...]]]]

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
    runs, heads = zip(*(_runs(path) for path in paths), strict=True)
    for path, other in zip(paths, runs, strict=True):
        if set(other) != set(runs[0]):
            name = min({part.name for part in set(other) ^ set(runs[0])})
            raise InputError(
                f"{path} and {paths[0]} have backbones of different shapes ({name}), so there is no distance between "
                "them. Recover the lineage of each architecture by itself."
            )
    if not any(scopes.SCOPES["matrices"].holds(part.name, part.shape) for part in runs[0]):
        raise InputError(f"{paths[0]} has no matrices under timm's names (blocks.0.attn.qkv.weight), so it is no ViT.")
    return Models(paths, [{part: other[part] for part in runs[0]} for other in runs], heads)


def find_models(place: Path) -> dict[str, Path]:
    """List the safetensors files under a folder by their names there; InputError if there is none."""
    if not place.is_dir():
        raise InputError(f"{place} is no folder. Name a zoo, or a folder with safetensors files.")
    found = sorted(path for path in place.rglob("*.safetensors") if path.is_file())
    if not found:
        raise InputError(f"{place} holds no safetensors files. Name a zoo, or a folder with models in it.")
    return {str(path.relative_to(place)): path for path in found}


def _runs(path: Path) -> tuple[dict[Part, Run], frozenset[tuple[str, tuple[int, ...]]]]:
    slots = safetensors_io.read_header(path)
    if not slots or any(0 in slot.shape for slot in slots.values()):
        raise IntegrityError(f"{path} holds no tensors, or one without numbers.")
    parts = scopes.parts({name: slot.shape for name, slot in slots.items()})
    found = {}
    for part in parts:
        if not scopes.is_head(part.name):
            slot = slots[part.source]
            found[part] = Run(slot.begin + part.begin * safetensors_io.DTYPES[slot.dtype][1], slot.dtype)
    return found, frozenset((part.name, part.shape) for part in parts if scopes.is_head(part.name))

"""Open a file of weights, of whatever kind its bytes say it is, as NumPy arrays; nothing in it is ever executed."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitzoo.errors import InputError, IntegrityError
from vitzoo.sharing.names.convert import unwrap
from vitzoo.zoo import safetensors_io

if TYPE_CHECKING:
    import torch

ENTRIES = 20_000  # parts of an archive, at most
PICKLED = 16_000_000  # bytes of an archive's pickle, which has names and shapes only
INFLATED = 4  # times the size of the file that its tensors may have together, as tied weights do
SLACK = 1 << 20
_GLOBAL = re.compile(r"(?:GLOBAL|Unsupported class) (\S+)")

Arrays = dict[str, np.ndarray]


def read(path: Path) -> Arrays:
    """Read the state dict in a file; InputError says what is wrong with it.

    By its first bytes it is a torch archive, a torch pickle of before 1.6, NumPy's npz or safetensors.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if start[:4] == b"PK\x03\x04":
        names = _archive(path)
        return _npz(path) if all(name.endswith(".npy") for name in names) else _torch(path, mmap=True)
    if start[:1] == b"\x80":
        return _torch(path, mmap=False)
    try:
        return safetensors_io.read(path)
    except IntegrityError as error:
        raise InputError(f"it is no torch archive, and as safetensors: {str(error).partition('. ')[0]}") from None


def _torch(path: Path, mmap: bool) -> Arrays:
    """Read by torch's restricted unpickler, which builds tensors and plain containers and refuses all else."""
    import pickle

    import torch

    try:
        value = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        named = _GLOBAL.search(str(error))
        what = f"it names {named[1][:100]!r}, which is neither a tensor nor a plain value" if named else "it is damaged"
        raise InputError(f"{what}, so it was not read") from None
    except (RuntimeError, ValueError, EOFError, KeyError, TypeError, AttributeError, IndexError, OSError) as error:
        first = str(error).splitlines()[0][:150] if str(error) else type(error).__name__
        raise InputError(f"torch cannot read it: {first}") from None
    state = unwrap(value)
    _check_size(state, path)
    return {name: _array(name, tensor) for name, tensor in state.items()}


def _check_size(state: Mapping[str, Any], path: Path) -> None:
    """Refuse tensors that are larger than their file, as views of a few bytes can be, before one is copied."""
    total = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if total > INFLATED * path.stat().st_size + SLACK:
        raise InputError(f"its tensors have {total:,} bytes together, far more than the file")


def _array(name: str, tensor: "torch.Tensor") -> np.ndarray:
    import torch

    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise InputError(f"tensor {name[:80]!r} is sparse, quantized or empty of data")
    if tensor.dtype is torch.bfloat16:  # NumPy has no such type; widening loses nothing
        tensor = tensor.float()
    try:
        return tensor.detach().contiguous().numpy()
    except (TypeError, RuntimeError):
        raise InputError(f"tensor {name[:80]!r} has type {tensor.dtype}, which a zoo does not store") from None


def _npz(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, EOFError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"NumPy cannot read it: {str(error)[:150]}") from None


def _archive(path: Path) -> list[str]:
    """List the parts of an archive whose sizes are sound; InputError if it would be larger than it is, once opened."""
    try:
        with zipfile.ZipFile(path) as file:
            parts = file.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"it begins like an archive and is none: {str(error)[:100]}") from None
    if len(parts) > ENTRIES:
        raise InputError(f"it has {len(parts):,} parts; weights have at most {ENTRIES:,}")
    if sum(part.file_size for part in parts) > INFLATED * path.stat().st_size + SLACK:
        raise InputError("its parts would be far larger than the file")
    if any(part.file_size > PICKLED for part in parts if part.filename.endswith(".pkl")):
        raise InputError("its pickle is larger than names and shapes of tensors can be")
    return [part.filename for part in parts]

"""Grow, store and study populations of vision transformers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitzoo.zoo import Zoo

    __version__: str

__all__ = ["__version__", "open"]


def open(path: str | Path) -> "Zoo":
    """Open a zoo to read, query and load from: a directory, or an address of one that lies on a server.

    Addresses are ``s3://bucket/zoo``, ``https://host/zoo``, ``hf://datasets/user/name[@revision]`` and ``file://``.
    InputError if there is no zoo.
    """
    from vitzoo.zoo import Zoo

    return Zoo.open(path)


def __getattr__(name: str) -> Any:
    """Look up ``__version__`` when asked, so that ``import vitzoo`` imports nothing else."""
    if name == "__version__":
        from importlib.metadata import version

        return version("vitzoo")
    raise AttributeError(f"module 'vitzoo' has no attribute {name!r}")

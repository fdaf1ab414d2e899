"""What a measurement ran on, and where caches are while it runs."""

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from step import cpu

from peers.systems import cores


def describe(device: str) -> dict[str, Any]:
    """Name the processor, the cores used and, where it is used, the GPU."""
    gpu = None
    if device == "cuda":
        import torch

        gpu = torch.cuda.get_device_name()
    return {"cpu": cpu(), "cores": cores(), "gpu": gpu}


def versions() -> dict[str, str]:
    """Versions of what the result depends on, and the commit of the source where git knows it."""
    found = {"python": platform.python_version()}
    for name in ("torch", "torchvision", "timm", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        found["commit"] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        found["commit"] = "unknown"
    return found


@contextmanager
def caches_in(folder: Path) -> Iterator[None]:
    """Keep compiled code and decoded data in an empty folder, so that the first run is a cold one and no later one."""
    names = {"TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton", "VITZOO_CACHE": "vitzoo"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: str(folder / each) for name, each in names.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

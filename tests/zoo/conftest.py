"""Fixtures: a zoo without members and a finished little one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from little_zoo import make_zoo, populate

from vitzoo.zoo import Zoo
from vitzoo.zoo import catalogue as catalogue_module


@pytest.fixture
def empty(tmp_path: Path) -> Zoo:
    """A zoo without members."""
    return make_zoo(tmp_path / "zoo")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished zoo to copy from; syncing its commits once is enough."""
    return populate(tmp_path_factory.mktemp("finished") / "zoo").path


@pytest.fixture
def zoo(tmp_path: Path, finished: Path) -> Zoo:
    """A finished zoo: 2 pre-trained and 4 fine-tuned members with 4 checkpoints each."""
    return Zoo.open(shutil.copytree(finished, tmp_path / "zoo"))


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let a fresh tree count as settled, so that its catalogue is trusted."""
    return lambda: monkeypatch.setattr(catalogue_module, "SETTLED_NS", -1)

"""Fixtures: one little zoo grown on digits, copies of it to do things to, and where its data is kept."""

import shutil
from pathlib import Path

import pytest
from little_grow import FIXED, TEXT, vitzoo

from vitzoo.measures.inference import Places
from vitzoo.zoo import Zoo


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Two backbones, eight fine-tuned members, three epochs; tests do not change it."""
    folder = tmp_path_factory.mktemp("grown")
    (folder / "little.yaml").write_text(TEXT)
    vitzoo(cache, "grow", folder / "little.yaml", "--zoo", folder / "zoo", *FIXED, "--workers", "1")
    return folder / "zoo"


@pytest.fixture
def zoo(grown: Path, tmp_path: Path) -> Zoo:
    """A copy of the grown zoo to do things to."""
    return Zoo.open(shutil.copytree(grown, tmp_path / "zoo"))


@pytest.fixture
def places(cache: Path, tmp_path: Path) -> Places:
    return Places(tmp_path / "data", cache)

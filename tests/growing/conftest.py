"""Fixtures: the little blueprint, a cache shared by all tests, and one zoo grown from it without interruption."""

import shutil
from pathlib import Path

import pytest
from little_grow import FIXED, TEXT, vitzoo

pytest.register_assert_rewrite("engine_laws")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def blueprint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blueprint") / "little.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory, blueprint: Path, cache: Path) -> Path:
    """A zoo grown by one worker in one go; tests do not change it."""
    zoo = tmp_path_factory.mktemp("grown") / "zoo"
    vitzoo(cache, "grow", blueprint, "--zoo", zoo, *FIXED, "--workers", "1")
    return zoo


@pytest.fixture
def copy(grown: Path, tmp_path: Path) -> Path:
    """A copy of the grown zoo to do things to."""
    return shutil.copytree(grown, tmp_path / "zoo")

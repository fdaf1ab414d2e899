"""Loading from a temporary folder."""

from pathlib import Path

import pytest

from vitzoo.blueprint.schema import Dataset
from vitzoo.data import Images, load


@pytest.fixture
def opened(tmp_path):
    """Load a source from ``tmp_path/root``."""

    def opened(source: str, image_size: int = 16, **settings) -> Images:
        return load(Dataset(source=source, **settings), image_size, tmp_path / "root", tmp_path / "cache")

    (tmp_path / "root").mkdir()
    return opened


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "root"

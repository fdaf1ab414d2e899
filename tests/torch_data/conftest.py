"""A zoo of tiny ViTs that no test changes."""

from pathlib import Path

import pytest
from vit_zoo import populate

from vitzoo.zoo import Zoo


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return populate(tmp_path_factory.mktemp("vits") / "zoo").path


@pytest.fixture
def zoo(grown: Path) -> Zoo:
    return Zoo.open(grown)

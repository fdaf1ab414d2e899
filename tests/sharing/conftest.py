"""A zoo that was really grown, in seconds; tests do not change it."""

from pathlib import Path

import pytest
from little_grow import FIXED, TEXT, vitzoo


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    place = tmp_path_factory.mktemp("grown")
    (place / "little.yaml").write_text(TEXT)
    vitzoo(cache, "grow", place / "little.yaml", "--zoo", place / "zoo", *FIXED, "--workers", "1")
    return place / "zoo"

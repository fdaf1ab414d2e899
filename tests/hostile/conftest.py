"""Fixtures: the server of guarded jobs, and a sound zoo with copies of it to put things into."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from guarded import Server
from hostile_zoo import make


@pytest.fixture(autouse=True)
def no_syncing(monkeypatch: pytest.MonkeyPatch) -> None:
    """These zoos are thrown away, so nobody waits for the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not sys.platform.startswith("linux"):
        pytest.skip("limits of memory are those of Linux")
    server = Server(tmp_path_factory.mktemp("guarded"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound zoo that no test changes."""
    return make(tmp_path_factory.mktemp("sound") / "zoo").path


@pytest.fixture(scope="module")
def copy(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the zoo for jobs that put back what they change."""
    return shutil.copytree(sound, tmp_path_factory.mktemp("copy") / "zoo")


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    """A copy of the zoo to put things into."""
    return shutil.copytree(sound, tmp_path / "zoo")

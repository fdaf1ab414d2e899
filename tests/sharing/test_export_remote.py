"""A zoo on a server is exported as one on this machine: the same bytes, each digest checked, nothing linked."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from exportable import populate
from ranged_server import serving

import vitzoo
from vitzoo.errors import IntegrityError
from vitzoo.sharing.exporting.run import export
from vitzoo.zoo import Zoo

TARGETS = ("timm", "huggingface", "npz")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    found = populate(tmp_path_factory.mktemp("grown") / "zoo")
    found.rebuild_catalogue()
    return found


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def address(zoo: Zoo) -> Iterator[str]:
    with serving(zoo.path) as server:
        yield server.url


@pytest.mark.parametrize("to", TARGETS)
def test_what_is_exported_from_an_address_has_the_same_bytes(zoo: Zoo, address: str, tmp_path: Path, to: str) -> None:
    options = {"part": "backbone"} if to == "npz" else {"copy": True} if to == "timm" else {}
    here = export(zoo, to, tmp_path / "here", **options)
    there = export(vitzoo.open(address), to, tmp_path / "there", **options)
    files = sorted(path.relative_to(here.out) for path in here.out.rglob("*") if path.is_file())
    assert len(files) == here.files == there.files
    for file in files:
        assert (here.out / file).read_bytes() == (there.out / file).read_bytes(), file


def test_what_is_kept_of_a_server_is_not_linked(address: str, tmp_path: Path) -> None:
    out = export(vitzoo.open(address), "timm", tmp_path / "out").out
    assert all(os.lstat(path).st_nlink == 1 for path in out.rglob("*.safetensors"))


def test_a_server_that_gives_other_weights_than_it_lists_is_refused(zoo: Zoo, tmp_path: Path) -> None:
    shutil.copytree(zoo.path, tmp_path / "zoo")
    path = tmp_path / "zoo" / zoo.checkpoint("pre-supervised").path.relative_to(zoo.path) / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    for to in ("timm", "huggingface"):
        with serving(tmp_path / "zoo") as server, pytest.raises(IntegrityError, match="digest"):
            export(vitzoo.open(server.url), to, tmp_path / "out")
    assert not (tmp_path / "out").exists()

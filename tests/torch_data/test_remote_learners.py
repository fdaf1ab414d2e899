"""Datasets over a zoo on a server: the same numbers, only the parts that are read, in every kind of worker."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from ranged_server import Ranged, serving
from torch.utils.data import DataLoader
from vit_zoo import populate

import vitzoo
from vitzoo.torch import Checkpoints, Stream, folds, split
from vitzoo.zoo import Zoo
from vitzoo.zoo.remote import remote

LINEAR = "head = 'linear' AND stage != 'merging'"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    zoo = populate(tmp_path_factory.mktemp("published") / "zoo")
    zoo.catalogue()
    return zoo.path


@pytest.fixture
def server(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ranged]:
    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path / "cache"))
    with serving(published) as running:
        yield running


def test_an_address_is_as_good_as_a_directory(server: Ranged, published: Path) -> None:
    here, there = (Checkpoints(place, LINEAR, epochs="all", targets="test_acc") for place in (published, server.url))
    assert len(here) == len(there) > 10 and there.rows == here.rows
    for (x, y), (wanted, target) in zip(there, here, strict=True):
        assert torch.equal(x, wanted) and torch.equal(y, target)


def test_a_part_brings_its_own_bytes(server: Ranged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "START", 3000)  # little files would come whole otherwise
    data = Checkpoints(server.url, LINEAR, part="head", form="layers")
    server.take()
    x, _ = data[0]
    sent = [one for one in server.take() if one.path.endswith("model.safetensors")]
    assert sum(one.size for one in sent) == sum(tensor.nbytes for tensor in x.values())
    data[0]
    assert server.take() == []


def test_headers_are_read_once_for_each_member(server: Ranged) -> None:
    data = Checkpoints(server.url, LINEAR, epochs="all", part="backbone")
    members = {row["member"] for row in data.rows}
    assert sum(one.path.endswith("model.safetensors") for one in server.take()) == len(members)


def test_workers_read_it_too(server: Ranged, published: Path) -> None:
    remote = vitzoo.open(server.url)
    remote.checkpoint("pre-a").tensors(["norm.bias"])  # the connection that a fork would copy
    options = {"epochs": "all", "buffer": 1, "targets": "epoch"}
    data = Stream(remote, LINEAR, **options)
    loader = DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context="fork")
    found = sorted((float(y), float(x.sum())) for x, y in loader)
    assert found == sorted((float(y), float(x.sum())) for x, y in Stream(published, LINEAR, **options))


def test_it_goes_to_a_process_that_is_not_forked(server: Ranged) -> None:
    data = Checkpoints(server.url, LINEAR, targets="test_acc")
    server.take()
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301  (its own)
    assert server.take() == []
    assert torch.equal(copy[3][0], data[3][0]) and torch.equal(copy[3][1], data[3][1])


def test_splits_are_the_same(server: Ranged, published: Path) -> None:
    here, there = (Checkpoints(place, part="backbone") for place in (Zoo.open(published), server.url))
    for own, wanted in zip(split(there, (0.5, 0.5)), split(here, (0.5, 0.5)), strict=True):
        assert own.rows == wanted.rows and own.left_out == wanted.left_out
    assert len(list(folds(there))) == len(list(folds(here)))

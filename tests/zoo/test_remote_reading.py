"""A zoo on a web server is the same zoo, and only what is asked for comes over the wire."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx
import numpy as np
import pytest
from little_zoo import make_config
from ranged_server import Ranged, serving
from remote_zoo import publish, tensors

import vitzoo
from vitzoo.errors import InputError
from vitzoo.zoo import Zoo, verify
from vitzoo.zoo.remote import mirror
from vitzoo.zoo.remote.remote import START


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("published") / "zoo").path


@pytest.fixture
def server(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ranged]:
    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path / "cache"))
    with serving(published, "/some/where") as running:
        yield running


def test_it_is_the_same_zoo(server: Ranged, published: Path) -> None:
    local, remote = Zoo.open(published), vitzoo.open(server.url)
    assert (remote.name, remote.licence, remote.execution) == (local.name, local.licence, local.execution)
    assert remote.blueprint_text == local.blueprint_text
    assert remote.rows() == local.rows() and remote.count("epoch = 1") == 3
    assert remote.table("stage = 'finetuning'").equals(local.table("stage = 'finetuning'"))
    assert [member.name for member in remote.members()] == [member.name for member in local.members()]
    assert networkx.utils.graphs_equal(remote.lineage(), local.lineage())


def test_files_that_a_zoo_may_lack_come_if_they_are_there(server: Ranged, published: Path) -> None:
    remote = vitzoo.open(server.url)
    assert not remote.files.near(remote.path / "LICENSE").exists()
    (published / "LICENSE").write_text("CC-BY-4.0")
    assert remote.files.near(remote.path / "LICENSE").read_text() == "CC-BY-4.0"
    (published / "LICENSE").unlink()


def test_members_and_checkpoints_are_the_same(server: Ranged, published: Path) -> None:
    local, remote = Zoo.open(published), vitzoo.open(server.url)
    for one, other in zip(remote.members(), local.members(), strict=True):
        assert (one.id, one.stage, one.status, one.epochs()) == (other.id, other.stage, other.status, other.epochs())
        assert one.config == other.config and one.recipe == other.recipe and one.curve() == other.curve()
        assert (one.parent and one.parent.name) == (other.parent and other.parent.name)
        assert [child.name for child in one.children()] == [child.name for child in other.children()]
        for a, b in zip(one.checkpoints(), other.checkpoints(), strict=True):
            assert (a.manifest, a.sha256, a.metrics, a.names()) == (b.manifest, b.sha256, b.metrics, b.names())
            assert a.header() == b.header()
            found, wanted = a.tensors(), b.tensors()
            assert list(found) == list(wanted)
            assert all((found[name] == wanted[name]).all() for name in wanted)
            assert a.file().read_bytes() == b.file().read_bytes()
            a.check()


def test_members_are_found_by_a_part_of_their_name_or_id(server: Ranged) -> None:
    remote = vitzoo.open(server.url)
    server.take()
    assert remote.member("a").name == "ft-a"
    assert remote.member(remote.member("pre").id[:8]).name == "pre"
    with pytest.raises(InputError, match="Did you mean 'ft-"):
        remote.member("ft-c")
    assert server.take() == []


def test_opening_brings_the_catalogue_and_no_more(server: Ranged, published: Path) -> None:
    remote = vitzoo.open(server.url)
    sent = server.take()
    assert {one.path for one in sent} == {"zoo.json", "catalogue.parquet"}
    # Which version there is costs a byte of each, before and after.
    size = sum((published / name).stat().st_size for name in ("zoo.json", "catalogue.parquet"))
    assert sum(one.size for one in sent) == size + 4
    remote.table()
    remote.lineage()
    assert [member.status for member in remote.members()] == ["finished"] * 3
    assert server.take() == []


def test_opening_again_asks_for_the_version_only(server: Ranged) -> None:
    vitzoo.open(server.url)
    server.take()
    assert vitzoo.open(server.url).count() == 6
    assert sorted((one.path, one.size) for one in server.take()) == [("catalogue.parquet", 1), ("zoo.json", 1)]


def test_a_server_that_does_not_know_versions_sends_all_again(server: Ranged) -> None:
    def forgetful(path, answer):
        answer.headers.pop("ETag", None)
        return answer

    server.trick = forgetful
    roots = {vitzoo.open(server.url).path for _ in range(2)}
    assert len(roots) == 1  # the content says that it is the same
    assert sum(one.path == "catalogue.parquet" and one.size > 1 for one in server.take()) == 2


def test_one_tensor_is_the_header_and_its_own_bytes(server: Ranged) -> None:
    checkpoint = vitzoo.open(server.url).checkpoint("ft-a", 1)
    server.take()
    found = checkpoint.tensors(["tall.weight"])
    assert (found["tall.weight"] == tensors(11)["tall.weight"]).all()
    sent = server.take()
    manifest, weights = (
        [one for one in sent if one.path.endswith(name)] for name in ("manifest.json", "model.safetensors")
    )
    assert len(sent) == 3 and len(manifest) == 1 and manifest[0].size < 1000
    slot = checkpoint.header()["tall.weight"]
    assert sorted((one.begin, one.end) for one in weights) == [(0, START), (slot.begin, slot.end)]
    assert slot.end - slot.begin == found["tall.weight"].nbytes
    assert {one.status for one in sent} == {206}


def test_what_was_read_is_not_sent_again(server: Ranged) -> None:
    vitzoo.open(server.url).checkpoint("ft-a", 1).tensors(["tall.weight", "last.weight"])
    again = vitzoo.open(server.url).checkpoint("ft-a", 1)
    server.take()
    found = again.tensors(["last.weight", "tall.weight"])
    assert list(found) == ["last.weight", "tall.weight"] and again.names() and again.metrics
    assert found["tall.weight"].flags.writeable
    assert server.take() == []


def test_a_tensor_within_the_first_bytes_is_not_asked_for(server: Ranged) -> None:
    checkpoint = vitzoo.open(server.url).checkpoint("ft-a", 1)
    names = [name for name, slot in checkpoint.header().items() if slot.end <= START]
    server.take()
    checkpoint.tensors(names)
    assert server.take() == []


def test_a_long_header_takes_one_more_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = publish(tmp_path / "zoo")
    many = {f"block.{i}.{'x' * 60}": np.full(3, i, "f4") for i in range(400)}
    zoo.add_member(make_config("wide", epochs=1)).commit(0, many, {}, None)
    zoo.catalogue()
    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path / "cache"))
    with serving(zoo.path) as server:
        checkpoint = vitzoo.open(server.url).checkpoint("wide")
        server.take()
        name = list(many)[-1]
        assert (checkpoint.tensors([name])[name] == many[name]).all()
        spans = [(one.begin, one.end) for one in server.take() if one.path.endswith("model.safetensors")]
        length = min(slot.begin for slot in checkpoint.header().values())
        assert spans[:2] == [(0, START), (START, length)] and len(spans) == 3
        assert checkpoint.names() == list(many) and server.take() == []


def test_a_whole_file_is_kept_under_its_digest_for_all_zoos(published: Path, server: Ranged) -> None:
    checkpoint = vitzoo.open(server.url).checkpoint("ft-b", 0)
    file = checkpoint.file()
    assert file.name == f"{checkpoint.sha256}.safetensors"
    with serving(published, "/moved") as elsewhere:
        moved = vitzoo.open(elsewhere.url).checkpoint("ft-b", 0)
        elsewhere.take()
        assert moved.file() == file and (moved.tensors()["small.bias"] == tensors(20)["small.bias"]).all()
        assert moved.tensors(["last.weight"]) and moved.names()
        assert elsewhere.take() == []


def test_tensors_read_alone_stay_with_their_address(published: Path, server: Ranged) -> None:
    vitzoo.open(server.url).checkpoint("ft-b", 0).tensors(["small.bias"])
    with serving(published, "/moved") as elsewhere:
        moved = vitzoo.open(elsewhere.url).checkpoint("ft-b", 0)
        elsewhere.take()
        moved.tensors(["small.bias"])
        assert elsewhere.take() != []


def test_unknown_tensors_and_epochs_name_the_nearest(server: Ranged) -> None:
    remote = vitzoo.open(server.url)
    with pytest.raises(InputError, match=r"has no tensor 'small\.bais'.*Did you mean 'small\.bias'"):
        remote.checkpoint("ft-a").tensors(["small.bais"])
    with pytest.raises(InputError, match="The closest is 1"):
        remote.checkpoint("ft-a", 7)


def test_nothing_can_be_written(server: Ranged) -> None:
    remote = vitzoo.open(server.url)
    member = remote.member("pre")
    deeds = [
        lambda: remote.add_member(make_config("new")),
        lambda: remote.add_merged({}, {}, {}),
        remote.sweep,
        remote.rebuild_catalogue,
        lambda: member.commit(2, {}, {}, None),
        lambda: member.record_epochs([]),
        lambda: member.record_divergence(2, {}),
        member.repair_results,
        lambda: verify(remote),
    ]
    for deed in deeds:
        with pytest.raises(
            InputError, match=r"is on a server and only read, so it cannot be .* Copy it to a directory"
        ):
            deed()


def test_a_zoo_goes_to_another_process(server: Ranged) -> None:
    remote = vitzoo.open(server.url)
    remote.table()
    copy = pickle.loads(pickle.dumps(remote))  # noqa: S301  (its own)
    server.take()
    assert copy.rows() == remote.rows() and server.take() == []
    assert (copy.checkpoint("pre").tensors()["wide.weight"] == tensors(1)["wide.weight"]).all()


def test_several_are_fetched_at_once_and_told_of(server: Ranged) -> None:
    remote, told = vitzoo.open(server.url), []
    remote.files.tell = lambda *what: told.append(what)
    files = remote.weights(remote.rows())
    assert [file.stat().st_size for file in files] == [one.file().stat().st_size for one in _checkpoints(remote)]
    assert told == [("Fetching weights", done, 6) for done in range(1, 7)]


def test_several_processes_share_one_cache(server: Ranged) -> None:
    code = (
        "import sys, vitzoo; zoo = vitzoo.open(sys.argv[1])\n"
        "for checkpoint in (one for member in zoo.members() for one in member.checkpoints()):\n"
        "    checkpoint.tensors(['last.weight']); checkpoint.check(); checkpoint.member.curve()\n"
    )
    words = [sys.executable, "-W", "error", "-c", code, server.url]
    running = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert not list(mirror.home().rglob(".staging*")) and len(list(mirror.home().rglob("*.safetensors"))) == 6
    server.take()
    assert vitzoo.open(server.url).checkpoint("ft-a").tensors() and len(server.take()) == 2


def test_place_names_the_address(server: Ranged) -> None:
    remote = vitzoo.open(f"{server.url}/")
    assert repr(remote) == f"Zoo({server.url!r})"
    assert remote.checkpoint("ft-a", 0).place == f"{server.url}/finetuning/pre/ft-a/checkpoint_000000"


def _checkpoints(zoo: Zoo):
    stages = sorted(zoo.members(), key=lambda member: member.stage != "pretraining")
    return [checkpoint for member in stages for checkpoint in member.checkpoints()]

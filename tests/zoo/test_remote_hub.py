"""A zoo on the hub: requests as its client and ours make them, answered by a stand-in on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ranged_server import Answer, Ranged, serving
from remote_zoo import publish, tensors

import vitzoo
from vitzoo.errors import InputError, VitzooError
from vitzoo.zoo import Zoo

COMMITS = {"main": "a" * 40, "v1": "b" * 40}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hub")
    for commit in COMMITS.values():
        publish(root / "datasets/user/zoo/resolve" / commit)
    return root


@pytest.fixture
def hub(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ranged]:
    """The API says which commit a revision is; files of weights lie on another server, to which it redirects."""
    from huggingface_hub import constants

    with serving(published) as server, serving(published) as files:

        def answer(path: str, given: Answer) -> Answer:
            if path.startswith("api/datasets/"):
                return _commit(path)
            if path.endswith(".safetensors"):
                return Answer(302, {"Location": f"{files.url}/{path}"}, b"")
            return given

        server.trick = answer
        server.files = files  # type: ignore[attr-defined]
        monkeypatch.setenv("VITZOO_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", server.url, raising=False)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        yield server


def _commit(path: str) -> Answer:
    name, _, revision = path.removeprefix("api/datasets/").partition("/revision/")
    commit = COMMITS.get(revision or "main")
    if name != "user/zoo" or commit is None:
        code = "RepoNotFound" if name != "user/zoo" else "RevisionNotFound"
        return Answer(404, {"X-Error-Code": code}, b"{}")
    return Answer(200, {"Content-Type": "application/json"}, json.dumps({"id": name, "sha": commit}).encode())


def test_a_revision_is_read_as_the_commit_that_it_is(hub: Ranged, published: Path) -> None:
    for address, commit in (("", COMMITS["main"]), ("@v1", COMMITS["v1"]), (f"@{COMMITS['v1']}", COMMITS["v1"])):
        remote = vitzoo.open(f"hf://datasets/user/zoo{address}")
        assert remote.place == f"hf://datasets/user/zoo@{commit}"
        local = Zoo.open(published / "datasets/user/zoo/resolve" / commit)
        assert remote.rows() == local.rows() and remote.member("pre").config == local.member("pre").config


def test_tensors_come_by_range_from_where_the_hub_sends_us(hub: Ranged) -> None:
    checkpoint = vitzoo.open("hf://datasets/user/zoo").checkpoint("ft-a", 1)
    assert (checkpoint.tensors(["tall.weight"])["tall.weight"] == tensors(11)["tall.weight"]).all()
    files: Ranged = hub.files  # type: ignore[attr-defined]
    assert [one.size for one in files.take()] == [16384, 320_000]
    assert files.asked and "hf_secret" not in str(files.asked)
    assert sum("hf_secret" in str(asked) for asked in hub.asked) == len(hub.asked)


def test_opening_a_commit_again_asks_for_nothing_but_the_commit(hub: Ranged) -> None:
    commit = vitzoo.open("hf://datasets/user/zoo").place
    hub.asked.clear()
    vitzoo.open("hf://datasets/user/zoo").table()
    assert [asked["path"] for asked in hub.asked] == ["api/datasets/user/zoo"]
    vitzoo.open(commit).table()
    assert len(hub.asked) == 1


def test_what_is_not_on_the_hub_is_said_so(hub: Ranged) -> None:
    with pytest.raises(InputError, match="there is no such data set, or it is closed"):
        vitzoo.open("hf://datasets/user/nothing")
    with pytest.raises(InputError, match="there is no such revision"):
        vitzoo.open("hf://datasets/user/zoo@v2")
    with pytest.raises(InputError, match=r"it has no zoo\.json"):
        vitzoo.open("hf://datasets/user/zoo/folder")


def test_a_hub_that_fails_is_said_so(hub: Ranged) -> None:
    hub.trick = lambda path, answer: Answer(400, {}, b"{}")
    with pytest.raises(VitzooError, match="the hub cannot be asked"):
        vitzoo.open("hf://datasets/user/zoo")


def test_a_commit_that_is_none_is_refused(hub: Ranged) -> None:
    hub.trick = lambda path, answer: Answer(200, {}, b'{"id": "user/zoo", "sha": "../../evil"}')
    with pytest.raises(VitzooError, match="does not say which commit"):
        vitzoo.open("hf://datasets/user/zoo")


def test_copying_is_explained(hub: Ranged) -> None:
    with pytest.raises(InputError, match="hf download user/zoo --repo-type dataset --local-dir DIR"):
        vitzoo.open("hf://datasets/user/zoo").sweep()

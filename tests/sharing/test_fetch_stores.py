"""``vitzoo fetch`` from an S3-compatible server, from a stand-in for the Hugging Face hub, and from a folder."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import fetch_tree
import pytest
from bad_server import Answer, Handler, Site, site
from fetch_tree import FIRST, PT, Tree

from vitzoo.cli.main import main
from vitzoo.errors import DataError, InputError, IntegrityError
from vitzoo.sharing.fetching import ledger as ledgers
from vitzoo.sharing.fetching import source as sources
from vitzoo.sharing.fetching.access import Access
from vitzoo.sharing.fetching.opening import open_source
from vitzoo.sharing.fetching.patience import Patience
from vitzoo.sharing.fetching.planning import Query
from vitzoo.sharing.fetching.run import fetch
from vitzoo.sharing.fetching.source import Source, SourceError
from vitzoo.sharing.fetching.survey import survey

HURRY = Patience(tries=2, pause=0.01, connect=2, silence=2)
ONE = Query(f"member = '{FIRST}'", "8-10")
ONE_FILES = [
    "README.md",
    f"{PT}/{FIRST}/config.json",
    f"{PT}/{FIRST}/result.json",
    *(f"{PT}/{FIRST}/checkpoint_{number:06d}/checkpoints" for number in (8, 9, 10)),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return fetch_tree.write(tmp_path_factory.mktemp("source"))


def assert_one(to: Path, tree: Tree, checked: str) -> None:
    """The files of the query are there, and the ledger says what they were compared with."""
    records = ledgers.read(to, json.loads((to / ledgers.NAME).read_text().splitlines()[0])["source"]).records
    assert sorted(records) == sorted(ONE_FILES)
    for path in ONE_FILES:
        assert (to / path).read_bytes() == tree.files[path]
        assert records[path].sha256 == hashlib.sha256(tree.files[path]).hexdigest()
    assert {records[path].checked for path in ONE_FILES if path.endswith("checkpoints")} == {checked}


# A folder on this machine, and file systems of fsspec in general


def test_a_folder_is_a_source(tree: Tree, tmp_path: Path):
    outcome = fetch(tmp_path / "to", ONE, tree.root.as_uri())
    assert outcome.problems == []
    assert_one(tmp_path / "to", tree, "size")
    assert fetch(tmp_path / "to", ONE, tree.root.as_uri()).fetched == 0


def test_a_folder_may_be_named_as_people_name_folders(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a zoo").symlink_to(tree.root)
    monkeypatch.chdir(tmp_path)
    fetch("here", ONE, "a zoo")
    fetch("there", ONE, (tmp_path / "a zoo").as_uri())
    assert_one(tmp_path / "here", tree, "size")
    assert_one(tmp_path / "there", tree, "size")


def test_links_in_a_folder_are_not_followed(tree: Tree, tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "pretraining").symlink_to(tree.root / PT)
    with pytest.raises(DataError, match="holds no members"):
        fetch(tmp_path / "to", source=source.as_uri())


def test_a_part_of_a_file_is_continued_from_any_file_system(tree: Tree, tmp_path: Path):
    fetch(tmp_path / "to", ONE, tree.root.as_uri())
    path = f"{PT}/{FIRST}/checkpoint_000009/checkpoints"
    file, data = tmp_path / "to" / path, tree.files[path]
    record = ledgers.read(tmp_path / "to", tree.root.as_uri()).records[path]
    file.unlink()
    file.with_name("checkpoints.part").write_bytes(data[:20_000])
    note = {"size": len(data), "stamp": record.stamp, "etag": None, "modified": None}
    file.with_name("checkpoints.part.json").write_text(json.dumps(note))
    outcome = fetch(tmp_path / "to", ONE, tree.root.as_uri())
    assert outcome.received == len(data) - 20_000 and file.read_bytes() == data


@pytest.mark.parametrize("address", ["/nowhere", "s3:/x", "nothing://x", "ftp://host/x", "simplecache::file:///tmp"])
def test_what_is_no_address_is_refused(address: str):
    with pytest.raises(InputError):
        open_source(address)


def test_a_zoo_of_our_own_is_opened_where_it_lies(tmp_path: Path):
    (tmp_path / "zoo.json").write_text("{}")
    with pytest.raises(InputError, match=r"vitzoo\.open"):
        fetch(tmp_path / "to", source=tmp_path.as_uri())


# S3


@pytest.fixture(scope="module")
def s3(tree: Tree) -> Iterator[Any]:
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    running = server.ThreadedMotoServer(port=0)
    running.start()
    address = "http://{}:{}".format(*running.get_host_and_port())
    settings = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**settings, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="zoos")
        for path, data in tree.files.items():
            client.put_object(Bucket="zoos", Key=f"vit/{path}", Body=data)
        yield client
    running.stop()


def test_s3_is_fetched_and_its_md5_compared(s3: Any, tree: Tree, tmp_path: Path):
    outcome = fetch(tmp_path / "to", ONE, "s3://zoos/vit")
    assert outcome.problems == []
    assert_one(tmp_path / "to", tree, "md5")
    assert fetch(tmp_path / "to", ONE, "s3://zoos/vit").fetched == 0


def test_s3_lists_page_by_page(s3: Any, tree: Tree, monkeypatch: pytest.MonkeyPatch):
    import s3fs

    calls = []
    original = s3fs.S3FileSystem.call_s3

    def short_pages(self: Any, method: str, **given: Any) -> Any:
        calls.append(method)
        return original(self, method, **given, **({"MaxKeys": 2} if method == "list_objects_v2" else {}))

    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", short_pages)
    members = survey(Access(open_source("s3://zoos/vit", patience=HURRY))).members
    assert len(members) == 11 and all(list(member.checkpoints) == [8, 9, 10, 11, 12] for member in members)
    assert len(calls) > 14  # folders above checkpoints


def test_a_folder_of_too_many_objects_is_refused(s3: Any, monkeypatch: pytest.MonkeyPatch):
    from vitzoo.sharing.fetching import filesystem

    assert filesystem.MAX_ENTRIES == sources.MAX_ENTRIES
    monkeypatch.setattr(filesystem, "MAX_ENTRIES", 3)
    with pytest.raises(DataError, match="more than 3 names"):
        survey(Access(open_source("s3://zoos/vit", patience=HURRY)))


def test_an_object_in_parts_has_no_md5_and_is_compared_by_size(s3: Any, tmp_path: Path):
    data = os.urandom(5 * 2**20 + 1000)
    key = "parts/pretraining/one/checkpoint_1/checkpoints"
    upload = s3.create_multipart_upload(Bucket="zoos", Key=key)["UploadId"]
    pieces = [data[: 5 * 2**20], data[5 * 2**20 :]]
    parts = []
    for number, piece in enumerate(pieces, 1):
        sent = s3.upload_part(Bucket="zoos", Key=key, UploadId=upload, PartNumber=number, Body=piece)
        parts.append({"ETag": sent["ETag"], "PartNumber": number})
    s3.complete_multipart_upload(Bucket="zoos", Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    outcome = fetch(tmp_path / "to", source="s3://zoos/parts")
    assert outcome.checked == {"size": 1} and outcome.problems == []
    assert (tmp_path / "to/pretraining/one/checkpoint_1/checkpoints").read_bytes() == data


def test_bytes_that_do_not_fit_their_md5_are_thrown_away(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from vitzoo.sharing.fetching.s3 import S3Folder

    original = S3Folder.blocks

    def damaged(self: S3Folder, entry: sources.Entry, start: int) -> Iterator[bytes]:
        return (block[::-1] if entry.name == "checkpoints" else block for block in original(self, entry, start))

    monkeypatch.setattr(S3Folder, "blocks", damaged)
    outcome = fetch(tmp_path / "to", ONE, "s3://zoos/vit", patience=HURRY)
    assert ["with the md5" in problem.reason for problem in outcome.problems] == [True] * 3
    assert not list((tmp_path / "to").rglob("checkpoints*"))


def test_an_object_that_changes_after_the_listing_is_told(s3: Any, tmp_path: Path):
    s3.put_object(Bucket="zoos", Key="live/pretraining/one/checkpoint_1/checkpoints", Body=b"old")
    source = open_source("s3://zoos/live")
    (entry,) = source.entries("pretraining/one/checkpoint_1")
    s3.put_object(Bucket="zoos", Key="live/pretraining/one/checkpoint_1/checkpoints", Body=b"new")
    with pytest.raises(SourceError, match="has been changed since it was listed"), source.read(entry, None):
        pass


@pytest.mark.parametrize("address", ["s3://zoos/nowhere", "s3://nobucket/x"])
def test_what_is_not_there_is_told_at_once(s3: Any, tmp_path: Path, address: str):
    with pytest.raises(SourceError):
        fetch(tmp_path / "to", source=address, patience=HURRY)


def test_keys_that_leave_the_folder_are_refused(s3: Any, tmp_path: Path):
    s3.put_object(Bucket="zoos", Key="evil/pretraining/../../x/checkpoint_1/checkpoints", Body=b"x")
    with pytest.raises(IntegrityError, match="could lead elsewhere"):
        fetch(tmp_path / "to", source="s3://zoos/evil", patience=HURRY)


# The Hugging Face hub: its tree API in pages, and files behind a redirect to another host

SHA = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_secretsecretsecret"


def hub(front: Site, store: Site, files: dict[str, bytes]) -> None:
    """Let ``front`` answer as the hub does for the dataset ``owner/zoo``, and ``store`` as the place of its files."""
    large = ("checkpoints", "optimizer")

    def info(handler: Handler) -> None:
        handler.whole(json.dumps({"id": "owner/zoo", "sha": SHA, "siblings": [], "tags": []}).encode())

    def tree(handler: Handler) -> None:
        url = urlsplit(handler.path)
        folder = unquote(url.path.partition(f"/tree/{SHA}")[2]).strip("/")
        query = parse_qs(url.query)
        start = int(query.get("cursor", ["0"])[0])
        assert query["recursive"] == ["true"]
        names = sorted(path for path in files if path.startswith(f"{folder}/" if folder else ""))
        if not names:
            handler.head(404, 0, {"X-Error-Code": "EntryNotFound"})
            return
        page = [listed(path) for path in names[start : start + 7]]
        following = f"{front.address}{url.path[1:]}?recursive=true&expand=false&cursor={start + 7}"
        more = {"Link": f'<{following}>; rel="next"'} if start + 7 < len(names) else {}
        data = json.dumps(page).encode()
        handler.head(200, len(data), {"Content-Type": "application/json", **more})
        handler.body(data)

    def listed(path: str) -> dict[str, Any]:
        data = files[path]
        git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        lfs = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return {"type": "file", "path": path, "size": len(data), "oid": git} | (
            {"lfs": lfs} if path.endswith(large) else {}
        )

    def resolve(handler: Handler) -> None:
        path = unquote(handler.path.partition(f"/resolve/{SHA}/")[2])
        assert handler.headers["Authorization"] == f"Bearer {TOKEN}"
        handler.status(302, {"Location": f"{store.address}{path}"})

    def stored(handler: Handler) -> None:
        assert "Authorization" not in handler.headers, "the token was given to another host"
        handler.file(unquote(handler.path.lstrip("/")))

    class Front(dict):
        def get(self, path: str, default: Any = None) -> Answer | None:
            if path.startswith("api/datasets/owner/zoo/tree/"):
                return tree
            if path.startswith("api/datasets/owner/zoo"):
                return info
            if path.startswith(f"datasets/owner/zoo/resolve/{SHA}/"):
                return resolve
            return None

    front.answers = Front()
    store.files = files
    store.answers = dict.fromkeys(files, stored)


@pytest.fixture
def hugging_face(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Site, Site]]:
    constants = pytest.importorskip("huggingface_hub.constants")
    with site({}) as front, site({}) as store:
        monkeypatch.setattr(constants, "ENDPOINT", front.address.rstrip("/"))
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace("https://huggingface.co/", front.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        hub(front, store, {f"zoo/{path}": data for path, data in tree.files.items()})
        yield front, store


def hub_source(*, folder: str = "/zoo") -> str:
    return f"hf://datasets/owner/zoo{folder}"


def test_the_hub_is_fetched_at_one_commit_and_its_hashes_compared(hugging_face: Any, tree: Tree, tmp_path: Path):
    front, store = hugging_face
    outcome = fetch(tmp_path / "to", ONE, hub_source())
    assert outcome.problems == [] and outcome.checked == {"sha256": 3, "git": 3}
    assert_one(tmp_path / "to", tree, "sha256")
    pages = [path for path, _ in front.log if "/tree/" in path]
    assert len(pages) == len(tree.files) // 7 + 1  # each once
    store.log.clear()
    again = fetch(tmp_path / "to", ONE, hub_source())
    assert again.fetched == 0 and not [path for path, _ in store.log if path.endswith("checkpoints")]


def test_a_cut_off_file_of_the_hub_is_continued(hugging_face: Any, tree: Tree, tmp_path: Path):
    _, store = hugging_face
    path = f"zoo/{PT}/{FIRST}/checkpoint_000009/checkpoints"
    stored, data = store.answers[path], store.files[path]

    def cut(handler: Handler) -> None:
        store.answers[path] = stored
        handler.head(200, len(data))
        handler.body(data[:30_000])
        handler.close_connection = True

    store.answers[path] = cut
    assert fetch(tmp_path / "to", ONE, hub_source(), patience=HURRY).problems == []
    assert [asked for asked_path, asked in store.log if asked_path == path] == [None, "bytes=30000-"]
    assert_one(tmp_path / "to", tree, "sha256")


def test_bytes_that_do_not_fit_the_hubs_hash_are_thrown_away(hugging_face: Any, tree: Tree, tmp_path: Path):
    _, store = hugging_face
    path = f"zoo/{PT}/{FIRST}/checkpoint_000009/checkpoints"
    good = store.files
    store.files = good | {path: bytes(reversed(good[path]))}
    (problem,) = fetch(tmp_path / "to", ONE, hub_source(), patience=HURRY).problems
    assert "with the sha256" in problem.reason
    assert not list((tmp_path / "to").rglob("checkpoint_000009/*"))
    store.files = good
    assert fetch(tmp_path / "to", ONE, hub_source()).problems == []
    assert_one(tmp_path / "to", tree, "sha256")


def test_what_the_hub_does_not_have_is_told(hugging_face: Any, tmp_path: Path):
    with pytest.raises(SourceError, match="does not exist"):
        fetch(tmp_path / "to", source="hf://datasets/owner/other", patience=HURRY)
    with pytest.raises(SourceError, match="does not exist"):
        fetch(tmp_path / "to", source=hub_source(folder="/nowhere"), patience=HURRY)
    with pytest.raises((InputError, SourceError)):
        fetch(tmp_path / "to", source="hf://datasets", patience=HURRY)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a\\b"])
def test_names_of_the_hub_that_lead_elsewhere_are_refused(hugging_face: Any, tmp_path: Path, name: str):
    front, store = hugging_face
    hub(front, store, {f"zoo/{name}/checkpoint_1/checkpoints": b"x"})
    with pytest.raises(IntegrityError, match="could lead elsewhere"):
        fetch(tmp_path / "to", source=hub_source(), patience=HURRY)


def test_the_command_reads_other_places(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert (
        main(["fetch", tree.root.as_uri(), "--dry-run", "--json", "--epochs", "8-10", "--where", ONE.where or ""]) == 0
    )
    assert json.loads(capsys.readouterr().out)["files"] == len(ONE_FILES)


def test_every_source_keeps_the_contract(tree: Tree) -> None:
    source: Source = open_source(tree.root.as_uri())
    entries = {entry.name: entry for entry in source.entries("")}
    assert entries["README.md"].size == len(tree.files["README.md"]) and entries[PT].size is None
    with source.read(entries["README.md"], sources.Mark(4)) as body:
        assert (body.start, b"".join(body.chunks)) == (4, tree.files["README.md"][4:])

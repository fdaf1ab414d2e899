"""Servers that fail, change or lie: a typed error that says what and what to do, and nothing wrong is kept."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from ranged_server import Answer, Ranged, serving
from remote_zoo import publish, republish, tensors

import vitzoo
from vitzoo.errors import InputError, IntegrityError, VitzooError
from vitzoo.zoo import Zoo
from vitzoo.zoo.remote import http, mirror

WEIGHTS = "model.safetensors"
MEMBER = "finetuning/pre/ft-a"
CHECKPOINT = f"{MEMBER}/checkpoint_000001"
SLOT = "tall.weight"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("published") / "zoo").path


@pytest.fixture
def server(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ranged]:
    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(http, "PAUSES", (0, 0))
    with serving(republish(published, tmp_path / "zoo").path) as running:
        yield running


def on(path: str, change: Callable[[Answer], Answer | None]):
    """A trick that changes the answers for one file."""
    return lambda asked, answer: change(answer) if asked == path else answer


def kept(name: str) -> list[Path]:
    """What is in the cache under a name, or as pieces and whole files of weights."""
    return [path for path in mirror.home().rglob(name) if path.is_file()]


def replaced(body: bytes | None = None, status: int | None = None, **headers: str):
    def change(answer: Answer) -> Answer:
        new = {name.replace("_", "-"): value for name, value in headers.items()}
        return Answer(status or answer.status, answer.headers | new, answer.body if body is None else body)

    return change


# What is not there, or not ours to read


def test_no_zoo_is_said_so(server: Ranged) -> None:
    with pytest.raises(InputError, match=r"it has no zoo\.json\. Give the address of the folder"):
        vitzoo.open(f"{server.url}/pretraining")


def test_a_zoo_without_catalogue_says_how_to_make_one(server: Ranged) -> None:
    (server.root / "catalogue.parquet").unlink()
    with pytest.raises(InputError, match=r"it has no catalogue\.parquet.*`vitzoo ls` writes the latter"):
        vitzoo.open(server.url)


@pytest.mark.parametrize("status", [401, 403])
def test_forbidden_is_about_credentials(server: Ranged, status: int) -> None:
    server.trick = on("zoo.json", replaced(b"", status))
    with pytest.raises(InputError, match=f"zoo.json may not be read .status {status}.*credentials"):
        vitzoo.open(server.url)


def test_no_server_is_said_so(server: Ranged) -> None:
    address = "http://127.0.0.1:9/zoo"
    with pytest.raises(VitzooError, match=r"cannot be read: .*Check the network and repeat") as error:
        vitzoo.open(address)
    assert type(error.value) is VitzooError


def test_files_that_are_gone_are_integrity_errors(server: Ranged) -> None:
    zoo = vitzoo.open(server.url)
    shutil.rmtree(server.root / CHECKPOINT)
    checkpoint = zoo.checkpoint("ft-a", 1)
    for read in (lambda: checkpoint.manifest, checkpoint.names, checkpoint.tensors, checkpoint.check):
        with pytest.raises(IntegrityError, match=r"is missing\. Publish the zoo again"):
            read()


def test_a_missing_result_has_no_lines(server: Ranged) -> None:
    (server.root / MEMBER / "result.json").unlink()
    assert [line["epoch"] for line in vitzoo.open(server.url).member("ft-a").curve()] == [1]  # from the manifest


# What fails in passing


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_fails_in_passing_is_repeated(server: Ranged, status: int) -> None:
    failures = iter([1, 1])
    server.trick = lambda path, answer: replaced(b"", status)(answer) if next(failures, 0) else answer
    assert vitzoo.open(server.url).count() == 6


def test_a_connection_that_is_cut_is_repeated(server: Ranged) -> None:
    zoo = vitzoo.open(server.url)
    cuts = iter(["now", "half"])

    def cutting(path: str, answer: Answer) -> Answer | None:
        how = next(cuts, None)
        if how == "half":
            answer.headers["Content-Length"] = str(len(answer.body))
            answer.body = answer.body[: len(answer.body) // 2]
            answer.headers["Connection"] = "close"
        return None if how == "now" else answer

    server.trick = cutting
    found = zoo.checkpoint("ft-a", 1).tensors([SLOT])
    assert (found[SLOT] == tensors(11)[SLOT]).all()


def test_what_keeps_failing_is_an_error_that_keeps_the_rest(server: Ranged) -> None:
    checkpoint = vitzoo.open(server.url).checkpoint("ft-a", 1)
    checkpoint.tensors(["small.bias"])
    server.trick = lambda path, answer: replaced(b"", 503)(answer)
    with pytest.raises(VitzooError, match="the server answers with status 503") as error:
        checkpoint.tensors([SLOT])
    assert type(error.value) is VitzooError
    server.take()
    assert checkpoint.tensors(["small.bias"]) and server.take() == []


# What is cut off, changed or a lie


def test_a_file_that_was_cut_off_is_not_kept(server: Ranged) -> None:
    zoo = vitzoo.open(server.url)
    file = server.root / CHECKPOINT / WEIGHTS
    file.write_bytes(file.read_bytes()[:-1000])
    checkpoint = zoo.checkpoint("ft-a", 1)
    with pytest.raises(IntegrityError, match=r"ends after [\d,]+ bytes, too early"):
        checkpoint.tensors(list(tensors(0)))
    with pytest.raises(IntegrityError, match=r"ends after [\d,]+ bytes, too early"):
        checkpoint.file()
    assert kept("*.safetensors") == [] and kept(".staging*") == []


def test_a_header_that_does_not_fit_the_manifest_is_not_kept(server: Ranged) -> None:
    file = server.root / CHECKPOINT / WEIGHTS
    file.write_bytes((server.root / MEMBER / "config.json").read_bytes())
    with pytest.raises(IntegrityError, match="does not begin like a safetensors file"):
        vitzoo.open(server.url).checkpoint("ft-a", 1).names()
    assert kept("0-*") == []


def test_weights_that_changed_are_not_kept_as_a_whole(server: Ranged) -> None:
    file = server.root / CHECKPOINT / WEIGHTS
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    checkpoint = vitzoo.open(server.url).checkpoint("ft-a", 1)
    for read in (checkpoint.file, checkpoint.tensors, checkpoint.check, checkpoint.state_dict):
        with pytest.raises(IntegrityError, match="has another digest than the catalogue says"):
            read()
    assert kept("*.safetensors") == [] and kept(".staging*") == []


def test_a_zoo_that_is_published_anew_meanwhile_is_noticed(server: Ranged, tmp_path: Path) -> None:
    """Whoever opened the zoo before has digests that are no longer there."""
    zoo = vitzoo.open(server.url)
    manifest = json.loads((server.root / CHECKPOINT / "manifest.json").read_text())
    manifest["files"][WEIGHTS]["sha256"] = "0" * 64
    (server.root / CHECKPOINT / "manifest.json").write_text(json.dumps(manifest))
    checkpoint = zoo.checkpoint("ft-a", 1)
    for read in (lambda: checkpoint.manifest, checkpoint.names, lambda: checkpoint.tensors([SLOT]), checkpoint.file):
        with pytest.raises(IntegrityError, match=r"manifest\.json speaks of other weights than the catalogue"):
            read()
    assert kept("manifest.json") == [] and kept("0-*") == [] and kept("*.safetensors") == []


def test_bytes_under_a_digest_come_from_nobody_elses_zoo(server: Ranged, published: Path) -> None:
    """A zoo may claim the digests of another one; what it sends for them is never shown for the other's."""
    forged = vitzoo.open(server.url).checkpoint("ft-a", 1)
    file = server.root / CHECKPOINT / WEIGHTS
    data = bytearray(file.read_bytes())
    slot = forged.header()[SLOT]
    data[slot.begin : slot.end] = bytes(slot.end - slot.begin)
    file.write_bytes(data)
    assert not forged.tensors([SLOT])[SLOT].any()
    with serving(published) as honest:
        real = vitzoo.open(honest.url).checkpoint("ft-a", 1)
        assert real.sha256 == forged.sha256
        assert (real.tensors([SLOT])[SLOT] == tensors(11)[SLOT]).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replaced(Content_Range="bytes 0-99/100"), "answers with 'bytes 0-99/100' where bytes"),
        (replaced(Content_Range=""), "answers with '' where bytes"),
        (replaced(Content_Range="bytes 17-20/*"), "answers with"),
        (replaced(Content_Encoding="gzip"), "is sent compressed"),
        (replaced(bytes(3_000_000)), "more bytes than it said"),
    ],
)
def test_answers_that_are_not_what_was_asked_for(server: Ranged, change, said: str) -> None:
    checkpoint = vitzoo.open(server.url).checkpoint("ft-a", 1)
    checkpoint.names()
    server.trick = on(f"{CHECKPOINT}/{WEIGHTS}", change)
    with pytest.raises(IntegrityError, match=said):
        checkpoint.tensors([SLOT])
    assert len(kept("*-*")) == len(kept("0-*")) + len(kept("seen-*"))


def test_a_server_without_ranges_is_said_so(server: Ranged) -> None:
    def whole(path: str, answer: Answer) -> Answer:
        return Answer(200, {"ETag": "x"}, (server.root / path).read_bytes())

    server.trick = whole
    checkpoint = vitzoo.open(server.url).checkpoint("ft-a", 1)
    assert checkpoint.metrics and checkpoint.names()  # whole small files, and beginnings, will do
    with pytest.raises(VitzooError, match="the server sends whole files only; it has no support for ranges"):
        checkpoint.tensors([SLOT])


def test_redirects_are_followed_to_safe_places_only(server: Ranged, published: Path) -> None:
    with serving(published, "/there") as other:

        def moved(path: str, answer: Answer) -> Answer:
            return Answer(302, {"Location": f"{other.url}/{path}"}, b"")

        server.trick = moved
        zoo = vitzoo.open(server.url)
        assert (zoo.checkpoint("pre").tensors([SLOT])[SLOT] == tensors(1)[SLOT]).all()
    for target in ("http://example.org/zoo.json", "file:///etc/passwd", "ftp://127.0.0.1/x", "//example.org/x"):
        server.trick = lambda path, answer, target=target: Answer(301, {"Location": target}, b"")
        with pytest.raises(IntegrityError, match="which is not followed"):
            vitzoo.open(server.url)
    server.trick = lambda path, answer: Answer(302, {"Location": f"/{path}"}, b"")
    with pytest.raises(VitzooError, match="redirects more than 5 times"):
        vitzoo.open(server.url)


# Small files


@pytest.mark.parametrize(
    ("file", "data", "read"),
    [
        ("config.json", b"[" * 100_000, lambda member: member.config),
        ("config.json", b'{"format": NaN}', lambda member: member.config),
        ("config.json", b"{}", lambda member: member.config),
        ("config.json", b" " * 1_000_001, lambda member: member.config),
        ("result.json", b'{"epoch": 1, "test_acc": "high"}\n', lambda member: member.curve()),
        ("result.json", b'{"epoch": 1}\n{"epoch": 1}\n', lambda member: member.curve()),
        ("checkpoint_000001/manifest.json", b"\xff", lambda member: member.checkpoint(1).metrics),
        ("checkpoint_000001/manifest.json", b"{}", lambda member: member.checkpoint(1).metrics),
    ],
)
def test_small_files_are_checked_before_they_are_kept(server: Ranged, file: str, data: bytes, read) -> None:
    (server.root / MEMBER / file).write_bytes(data)
    member = vitzoo.open(server.url).member("ft-a")
    with pytest.raises(IntegrityError, match=f"{server.url}/{MEMBER}/{file}"):
        read(member)
    assert kept(Path(file).name) == []


def test_another_members_files_are_refused(server: Ranged) -> None:
    other = server.root / "finetuning/pre/ft-b"
    for file in ("config.json", "checkpoint_000001/manifest.json", "checkpoint_000001/config.json"):
        shutil.copy(other / file, server.root / MEMBER / file)
    member = vitzoo.open(server.url).member("ft-a")
    with pytest.raises(IntegrityError, match="belongs to another member than the catalogue speaks of"):
        member.zoo.files.near(member.checkpoint(1).path / "config.json")
    with pytest.raises(IntegrityError, match="belongs to another member than the catalogue speaks of"):
        _ = member.config
    with pytest.raises(IntegrityError, match="speaks of another checkpoint"):
        _ = member.checkpoint(1).manifest


def test_a_zoo_json_that_is_none_is_refused(server: Ranged) -> None:
    for text, said in (("{", "not valid JSON"), ('{"format": 2}', "has format '2'"), ("[]", "no|not hold")):
        (server.root / "zoo.json").write_text(text)
        with pytest.raises(IntegrityError, match=said):
            vitzoo.open(server.url)


# The catalogue


def columns(path: Path) -> dict[str, list]:
    return pyarrow.parquet.read_table(path).to_pydict()


def write(path: Path, /, **changed) -> None:
    """Write the catalogue again with other columns, and what is said of it as it was."""
    table = pyarrow.parquet.read_table(path)
    for name, values in changed.items():
        field = table.schema.field(name).type if name in table.schema.names else None
        array = values if isinstance(values, pyarrow.Array) else pyarrow.array(values, field)
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, array) if index >= 0 else table.append_column(name, array)
    pyarrow.parquet.write_table(table, path)


def spoilt(name: str, value):
    """A catalogue with one cell changed."""

    def change(path: Path) -> None:
        write(path, **{name: [value, *columns(path)[name][1:]]})

    return change


def with_all(**changes):
    """A catalogue in which all rows have these values."""

    def change(path: Path) -> None:
        rows = len(columns(path)["member"])
        write(path, **{name: [value] * rows for name, value in changes.items()})

    return change


def escaping(name: str):
    """A catalogue whose member has a bad name, and a path that goes with it."""

    def change(path: Path) -> None:
        found = columns(path)
        paths = [place.replace("/ft-a/", f"/{name}/") for place in found["path"]]
        write(path, member=[name if one == "ft-a" else one for one in found["member"]], path=paths)

    return change


def bomb(path: Path) -> None:
    """A column of long texts that takes nothing in the file and everything in memory."""
    rows, meta = 300_000, json.loads(pyarrow.parquet.read_schema(path).metadata[b"vitzoo"])
    meta["summary"]["checkpoints"] = rows
    wide = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, "int32"), ["x" * 100_000])
    table = pyarrow.parquet.read_table(path).slice(0, 1).to_pydict()
    filled = {name: pyarrow.array(values * rows) for name, values in table.items() if name != "note"}
    schema = {b"vitzoo": json.dumps(meta).encode()}
    pyarrow.parquet.write_table(pyarrow.table({**filled, "note": wide}).replace_schema_metadata(schema), path)


CATALOGUES = {
    "empty": lambda path: path.write_bytes(b""),
    "no Parquet": lambda path: path.write_bytes(b"PAR1 and so on"),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "a database": lambda path: (path.unlink(), duckdb.connect(str(path)).close()),
    "a column less": lambda path: pyarrow.parquet.write_table(pyarrow.parquet.read_table(path).drop(["sha256"]), path),
    "texts for numbers": lambda path: write(path, epoch=pyarrow.array([str(n) for n in columns(path)["epoch"]])),
    "no digest": spoilt("sha256", "0" * 63),
    "digest that is a path": spoilt("sha256", "../../../../etc/passwd".ljust(64, "0")),
    "no id": with_all(id="1"),
    "no stage": with_all(stage="elsewhere"),
    "no status": with_all(status="damaged"),
    "another status of one member": spoilt("status", "growing"),
    "another id of one member": spoilt("id", "0" * 64),
    "an epoch twice": with_all(epoch=1),
    "a negative epoch": spoilt("epoch", -1),
    "a path elsewhere": spoilt("path", "../../etc/passwd"),
    "an absolute path": spoilt("path", "/etc/checkpoint_000000"),
    "the path of another": spoilt("path", "finetuning/pre/ft-b/checkpoint_000000"),
    "a parent that leads out": with_all(parent_member=".."),
    "a parent of nobody": with_all(parent_member="pre"),
    "no parent": with_all(parent_member=None),
    "a member that leads out": escaping(".."),
    "a member with a slash": escaping("a/b"),
    "a member of Windows": escaping("CON"),
    "a member like another": escaping("FT-B"),
    "too large when it is read": bomb,
}


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_catalogue_that_no_zoo_could_have_is_refused(server: Ranged, name: str) -> None:
    CATALOGUES[name](server.root / "catalogue.parquet")
    with pytest.raises(IntegrityError, match=f"{server.url}/catalogue.parquet (is not a catalogue|speaks of)"):
        vitzoo.open(server.url)
    assert {one.path for one in server.take()} == {"zoo.json", "catalogue.parquet"}


def test_a_catalogue_that_is_too_large_is_not_read_to_its_end(server: Ranged, monkeypatch) -> None:
    monkeypatch.setitem(mirror.LIMITS, "catalogue.parquet", 1000)
    with pytest.raises(IntegrityError, match=r"has more than 1,000 bytes, which no zoo writes"):
        vitzoo.open(server.url)
    assert sum(one.size for one in server.take() if one.path == "catalogue.parquet") == 1002


def test_queries_cannot_reach_files(server: Ranged) -> None:
    zoo = vitzoo.open(server.url)
    for condition in ("member IN (SELECT content FROM read_text('/etc/hostname'))", "1 = 1; ATTACH '/tmp/x'"):
        with pytest.raises(InputError):
            zoo.count(condition)


# The cache


def test_a_damaged_cache_is_fetched_again(server: Ranged) -> None:
    zoo = vitzoo.open(server.url)
    (zoo.path / "catalogue.parquet").write_bytes(b"damaged")
    assert vitzoo.open(server.url).count() == 6


def test_a_cache_without_room_says_so(server: Ranged, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = vitzoo.open(server.url).checkpoint("ft-a", 1)
    monkeypatch.setattr(mirror.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 0))
    for read in (checkpoint.file, lambda: checkpoint.tensors([SLOT])):
        with pytest.raises(VitzooError, match=r"Make room, or set \$VITZOO_CACHE"):
            read()


def test_what_was_opened_stays_as_it_was_when_the_zoo_grows(server: Ranged) -> None:
    before = vitzoo.open(server.url)
    local = Zoo.open(server.root)
    shutil.rmtree(local.path / "finetuning/pre/ft-b")
    local.rebuild_catalogue()
    after = vitzoo.open(server.url)
    assert (before.count(), after.count()) == (6, 4) and before.path != after.path

"""A stored catalogue that could not be this zoo's is built again, in bounded time and memory, and never followed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from guarded import Server
from hostile_zoo import AT, CHILD, MEMBER

from vitzoo.errors import InputError
from vitzoo.zoo import Zoo, catalogue, catalogue_file, database
from vitzoo.zoo.layout import CATALOGUE

Meta = dict[str, Any]
Rows = dict[str, list[Any]]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fresh tree count as settled, so that its catalogue is trusted."""
    monkeypatch.setattr(catalogue, "SETTLED_NS", -1)


@pytest.fixture
def zoo(root: Path) -> Zoo:
    """A zoo with a stored catalogue."""
    found = Zoo.open(root)
    found.rebuild_catalogue()
    return found


def rewrite(zoo: Zoo, change: Callable[[Rows, Meta], object], types: dict[str, pa.DataType] | None = None) -> None:
    """Store the zoo's own catalogue again with other rows or other words about them; its fingerprint stays true."""
    table = pq.read_table(zoo.path / CATALOGUE)
    rows, meta = table.to_pydict(), json.loads(table.schema.metadata[b"vitzoo"])
    schema = {field.name: field.type for field in table.schema}
    change(rows, meta)
    schema = {name: (types or {}).get(name, schema.get(name)) for name in rows}
    found = pa.table({name: pa.array(values, schema[name]) for name, values in rows.items()})
    text = meta["raw"] if "raw" in meta else json.dumps(meta)
    pq.write_table(found.replace_schema_metadata({"vitzoo": text}), zoo.path / CATALOGUE)


def put(name: str, value: Any) -> Callable[[Rows, Meta], object]:
    """Change the last row, which is the child's last checkpoint."""
    return lambda rows, meta: rows[name].__setitem__(-1, value)


def say(**changes: Any) -> Callable[[Rows, Meta], object]:
    return lambda rows, meta: meta.update(changes)


def sum_up(**changes: Any) -> Callable[[Rows, Meta], object]:
    return lambda rows, meta: meta["summary"].update(changes)


def more(name: str, values: list[Any]) -> Callable[[Rows, Meta], object]:
    return lambda rows, meta: rows.update({name: values})


def wide(rows: Rows, meta: Meta) -> None:
    rows.update({f"f{i}": [i] * 4 for i in range(2000)})


LIES: dict[str, tuple[Callable[[Rows, Meta], object], dict[str, pa.DataType]]] = {
    "path leads out": (put("path", "../../../../etc/checkpoint_000001"), {}),
    "path leads out from within": (put("path", f"{MEMBER}/../../../checkpoint_000001"), {}),
    "path is absolute": (put("path", f"/{AT}"), {}),
    "path of a link": (put("path", str(AT).replace(CHILD, "evil")), {}),
    "path of another epoch": (put("path", str(AT).replace("1", "7")), {}),
    "path of another stage": (put("path", str(AT).replace("finetuning/pre", "merging")), {}),
    "path null": (put("path", None), {}),
    "path with NUL": (put("path", f"{MEMBER}\0/checkpoint_000001"), {}),
    "member of another": (put("member", "pre"), {}),
    "member made up": (put("member", "evil"), {}),
    "member null": (put("member", None), {}),
    "stage made up": (put("stage", "evil"), {}),
    "epoch negative": (put("epoch", -1), {}),
    "epoch null": (put("epoch", None), {}),
    "digest of a path": (put("sha256", "../../x"), {}),
    "size negative": (put("size", -1), {}),
    "rows missing": (lambda rows, meta: [values.pop() for values in rows.values()], {}),
    "rows too many": (lambda rows, meta: [values.append(values[-1]) for values in rows.values()], {}),
    "column missing": (lambda rows, meta: rows.pop("sha256"), {}),
    "column more, a number in text": (lambda rows, meta: rows.update(epoch=["1"] * 4), {"epoch": pa.string()}),
    "column of truth in numbers": (lambda rows, meta: rows.update(is_last=[1] * 4), {"is_last": pa.int64()}),
    "column of bytes": (more("x", [b"x"] * 4), {}),
    "column of objects": (more("x", [{"a": 1}] * 4), {}),
    "column of dates": (more("x", [0] * 4), {"x": pa.timestamp("s")}),
    "column named by SQL": (more('x" FROM catalogue; --', [1] * 4), {}),
    "columns too many": (wide, {}),
    "summary of text": (say(summary="fine"), {}),
    "summary of no members": (lambda rows, meta: meta["summary"].pop("members"), {}),
    "summary counts in text": (sum_up(members={"finished": "2"}), {}),
    "summary of other rows": (sum_up(checkpoints=5), {}),
    "summary with an escape": (sum_up(unreadable_first=[1]), {}),
    "version of yesterday": (say(version=2), {}),
    "fingerprint of another": (say(fingerprint="0" * 64), {}),
    "fingerprint of no tree": (say(fingerprint="unsettled"), {}),
    "words that are no JSON": (say(raw="{"), {}),
    "words with NaN": (say(raw='{"version": NaN}'), {}),
    "words nested": (say(raw="[" * 5000), {}),
    "words of 1 MB": (say(raw='"' + "x" * 1_000_001 + '"'), {}),
}


def same_as_the_tree(zoo: Zoo) -> bool:
    rows = zoo.rows(columns=["path", "epoch", "sha256", "member"])
    return [(row["path"], row["sha256"]) for row in rows] == [
        (c.path.relative_to(zoo.path).as_posix(), c.sha256) for m in ("pre", "ft") for c in zoo.member(m).checkpoints()
    ]


def was_built(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Open a zoo afresh and say whether its catalogue was built, rather than read; it is the tree's either way."""
    built: list[Zoo] = []
    build = catalogue.build
    monkeypatch.setattr(catalogue, "build", lambda one: built.append(one) or build(one))
    fresh = Zoo.open(zoo.path)
    assert same_as_the_tree(fresh)
    assert not fresh.catalogue().notes
    return bool(built)


def test_what_was_stored_is_believed(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not was_built(zoo, monkeypatch)
    rewrite(zoo, lambda rows, meta: None)
    assert not was_built(zoo, monkeypatch)


@pytest.mark.parametrize("name", LIES)
def test_what_cannot_be_true_is_built_again(name: str, zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    change, types = LIES[name]
    rewrite(zoo, change, types)
    assert was_built(zoo, monkeypatch)


def broken(data: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "magic only": b"PAR1PAR1",
        "no Parquet": b"<html>" * 100,
        "cut off": data[: len(data) // 2],
        "footer of 4 GB": data[:-8] + b"\xff\xff\xff\xff" + data[-4:],
        "footer of nothing": data[:-8] + bytes(4) + data[-4:],
        "zeros in the footer": data[:-9000] + bytes(8992) + data[-8:],
        "zeros in the pages": data[:4] + bytes(400) + data[404:],
        "encrypted": data[:-4] + b"PARE",
    }


@pytest.mark.parametrize("name", broken(bytes(1000)))
def test_broken_files_are_built_again(name: str, zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zoo.path / CATALOGUE
    path.write_bytes(broken(path.read_bytes())[name])
    assert was_built(zoo, monkeypatch)


def test_folders_above_are_no_columns(zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB reads '…/lr=5/…' as a column, unless it is told not to."""
    place = tmp_path / "lr=5" / "~" / "[a]*"
    place.parent.mkdir(parents=True)
    zoo.path.rename(place)
    moved = Zoo.open(place)
    moved.rebuild_catalogue()
    monkeypatch.chdir(place.parents[1])
    assert not was_built(Zoo.open(Path("~/[a]*")), monkeypatch)
    assert {row["lr"] for row in moved.rows()} == {0.1}


def bomb(path: Path, rows: int, text: str, said: int) -> None:
    """A small file of many rows, each with a text."""
    one = {
        "stage": "pretraining", "member": "pre", "id": "0", "status": "finished", "method": "x", "sha256": "0" * 64,
        "path": text, **dict.fromkeys(("parent_member", "parent_sha256", "from_member", "from_sha256"), "x"),
    }  # fmt: skip
    zeros = pa.array(np.zeros(rows, "i8"))
    columns: dict[str, Any] = {name: pa.DictionaryArray.from_arrays(zeros, [value]) for name, value in one.items()}
    columns |= dict.fromkeys(("epoch", "parent_epoch", "from_epoch", "size"), zeros)
    columns["is_last"] = pa.array(np.ones(rows, bool))
    if rows > catalogue_file.MAX_ROWS:  # which is seen before any column is
        columns = {"epoch": columns["epoch"]}
    summary = {"members": {}, "checkpoints": said, "bytes": 0, "unreadable": 0, "unreadable_first": []}
    meta = {"version": catalogue_file.VERSION, "fingerprint": "0", "summary": summary}
    table = pa.table(columns).replace_schema_metadata({"vitzoo": json.dumps(meta), "ARROW:schema": ""})
    pq.write_table(table, path, compression="zstd", store_schema=False)


@pytest.mark.parametrize(
    ("rows", "text", "said"),
    [
        (2_000_001, "x", 2_000_001),
        (1000, "x", 4),
        (400_000, "x" * 1_000_000, 400_000),
        (1_000_000, "x", 1_000_000),
    ],
    ids=["too many rows", "more than it says", "400 GB of text", "as many as allowed"],
)
def test_small_files_of_many_rows_cost_little(rows: int, text: str, said: int, tmp_path: Path, guarded: Server) -> None:
    bomb(tmp_path / "bomb.parquet", rows, text, said)
    assert (tmp_path / "bomb.parquet").stat().st_size < 3_000_000
    outcome = guarded.run("decode", tmp_path / "bomb.parquet")
    assert (outcome.error, outcome.value) == ("", "None"), outcome
    assert outcome.seconds < 10
    assert outcome.added < 3 << 30


REACHES_OUT = [
    "(SELECT count(*) FROM read_csv('/etc/hosts')) > 0",
    "(SELECT count(*) FROM read_parquet('https://example.com/x.parquet')) > 0",
    "(SELECT count(*) FROM glob('/etc/*')) > 0",
    "(SELECT count(*) FROM read_text('/etc/hosts')) > 0",
    "(SELECT count(*) FROM 'x.csv') > 0",
    "(SELECT count(*) FROM sqlite_scan('x', 'y')) > 0",
    "st_area(member) > 0",
    "(SELECT count(*) FROM zoo) > 0",
    "true; COPY catalogue TO 'x.csv'",
    "true; INSTALL httpfs",
    "true; LOAD httpfs",
    "true; ATTACH 'x.db'",
    "getenv('HOME') = '/root'",
]


@pytest.mark.parametrize("where", REACHES_OUT)
def test_a_condition_reaches_nothing_but_the_rows(
    where: str, zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("a\n1\n")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError):
        zoo.rows(where)
    assert sorted(tmp_path.iterdir()) == before


def test_the_database_is_shut_for_good(zoo: Zoo) -> None:
    connection = zoo.catalogue().connection
    known = dict(connection.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    expected = {**database.SETTINGS, "enable_external_access": "false", "lock_configuration": "true"}
    assert {name: known[name] for name in expected if name != "memory_limit"} == {
        name: value for name, value in expected.items() if name != "memory_limit"
    }
    for statement in (
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET autoinstall_known_extensions = true",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH '/tmp/x.db'",
        "COPY catalogue TO '/tmp/x.csv'",
        "SELECT * FROM read_csv('/etc/hosts')",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(statement)

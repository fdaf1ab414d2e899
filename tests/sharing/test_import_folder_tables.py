"""Tables that come with models: the three forms of JSON and CSV, cells, columns, percentages, and hostile files."""

import csv
import json
import math

import pandas as pd
import pytest
from folder_trees import write_csv
from hypothesis import given, settings
from hypothesis import strategies as st

from vitzoo.errors import InputError
from vitzoo.sharing.importing.tables import columns, factors, shares, table, values
from vitzoo.sharing.importing.tables.columns import Meaning
from vitzoo.sharing.importing.tables.matching import Places

ROWS = [{"model": "a", "lr": 0.1, "note": "x, y"}, {"model": "b", "lr": None, "note": "=1+1"}]


def rows_of(read: table.Table) -> list[dict]:
    return [read.row(number) for number in range(len(read))]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_of_any_delimiter(tmp_path, delimiter, encoding):
    path = tmp_path / "t.csv"
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(ROWS[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)
    assert rows_of(table.read(path)) == ROWS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.json", json.dumps(ROWS)),
        ("objects.json", json.dumps({row["model"]: {k: v for k, v in row.items() if k != "model"} for row in ROWS})),
        ("columns.json", json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]})),
        ("lines.jsonl", "\n".join(map(json.dumps, ROWS)) + "\n\n"),
    ],
)
def test_every_form_of_json(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert rows_of(table.read(tmp_path / name)) == ROWS


def test_what_pandas_writes_is_read(tmp_path):
    frame = pd.DataFrame({"name": ["007", "b"], "seed": [1, math.nan], "test_acc": [0.5, math.nan]})
    frame.to_csv(tmp_path / "t.csv")  # with its index, a column without a name
    read = table.read(tmp_path / "t.csv")
    assert rows_of(read)[0] == {"column_1": 0, "name": 7, "seed": 1.0, "test_acc": 0.5}
    assert read.text(0, 1) == "007" and rows_of(read)[1]["seed"] is None
    frame.to_json(tmp_path / "t.json", orient="records")
    assert rows_of(table.read(tmp_path / "t.json"))[1] == {"name": "b", "seed": None, "test_acc": None}


def test_nan_in_json_is_no_number(tmp_path):
    (tmp_path / "t.json").write_text('[{"model": "a", "val_loss": NaN, "lr": Infinity}]')
    assert rows_of(table.read(tmp_path / "t.json")) == [{"model": "a", "val_loss": None, "lr": None}]


HOSTILE = {
    "twice.csv": ("a,a\n1,2\n", "has the column 'a' twice"),
    "ragged.csv": ("a,b\n1,2,3\n", "line 2, has 3 cells under 2 columns"),
    "quote.csv": ('a,b\n"1,2\n', "not CSV"),
    "latin.csv": (b"a,b\n\xe4,1\n", "not UTF-8"),
    "empty.csv": ("", "no columns"),
    "wide.csv": (",".join(f"c{n}" for n in range(1001)) + "\n", "1,001 columns"),
    "long-line.csv": ("a\n" + "x" * 200_001, "200,000 characters"),
    "long-cell.csv": ("a,b\n" + "x" * 10_001 + ",1\n", "10,000 characters"),
    "long-name.csv": ("x" * 300 + ",b\n1,2\n", "256 characters"),
    "nul.csv": ("a,b\n\0,1\n", None),
    "number.json": ("3", "no table"),
    "broken.json": ("[{", "not valid JSON"),
    "deep.json": ("[" * 100 + "]" * 100, "nested"),
    "deeper.json": ("[" * 100_000, "nested"),
    "twice.json": ('[{"a": 1, "a": 2}]', "key occurs twice"),
    "digits.json": ('[{"a": ' + "9" * 5000 + "}]", "not valid JSON"),
    "mixed.json": ('{"a": {"lr": 1}, "b": 3}', "no table"),
    "uneven.json": ('{"a": [1, 2], "b": [3]}', "equally long"),
    "no-objects.json": ("[1, 2]", "this is no object"),
    "keys.json": ('{"a": {"model": 1, "key": 2, "vitzoo_key": 3}}', "leaves no name"),
    "wide.json": (json.dumps([{f"c{n}": n for n in range(1001)}]), "1,001 columns"),
    "large-row.json": (json.dumps([{"a": "x" * 200_001}]), "200,000 characters"),
    "broken.jsonl": ('{"a": 1}\n{"a"', "line 2"),
    "list.jsonl": ("[1]\n", "no object"),
    "table.xlsx": ("PK", "no table"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_tables_are_refused_in_a_sentence(tmp_path, name):
    text, because = HOSTILE[name]
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    if because is None:  # some Pythons read it, none may crash
        try:
            table.read(tmp_path / name)
        except InputError:
            return
        return
    with pytest.raises(InputError, match=because) as raised:
        table.read(tmp_path / name)
    assert len(str(raised.value)) < 500


def test_size_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "MAX_CELLS", 100)
    write_csv(tmp_path / "t.csv", [{"a": n, "b": n} for n in range(51)])
    with pytest.raises(InputError, match="more than 100 cells"):
        table.read(tmp_path / "t.csv")
    monkeypatch.setattr(table, "MAX_FILE", 100)
    with pytest.raises(InputError, match="more than 100 bytes"):
        table.read(tmp_path / "t.csv")


def test_a_table_is_not_read_through_a_link(tmp_path):
    write_csv(tmp_path / "real.csv", ROWS)
    (tmp_path / "t.csv").symlink_to(tmp_path / "real.csv")
    with pytest.raises(InputError):
        table.read(tmp_path / "t.csv")


@settings(deadline=None)
@given(st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_being_written(number):
    assert values.of_text(repr(number)) == number


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_plain_value(text):
    value = values.of_text(text)
    assert value is None or isinstance(value, bool | int | float | str)
    assert not isinstance(value, float) or math.isfinite(value)


@settings(deadline=None)
@given(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=20))
def test_shares_and_percentages_of_a_column_agree(column):
    said = shares.of_column(column)
    assert said is not None and said.values == column and not said.percent
    if any(value is not None and value * 100 > 1 for value in column):
        percent = shares.of_column([None if value is None else value * 100 for value in column])
        assert percent is not None and percent.percent
        for a, b in zip(percent.values, column, strict=True):
            assert a == pytest.approx(b) if b is not None else a is None


def test_hyper_parameters_of_model_soups_and_trackers_are_known():
    named = {"wd": "weight_decay", "lr": "lr", "mix": "mixup", "smoothing": "label_smoothing", "epochs": "epochs"}
    named |= {"config/learning_rate": "lr", "hparams.batchSize": "batch_size", "num_train_epochs": "epochs"}
    for column, factor in named.items():
        assert columns.meaning(column) == Meaning("factor", factor), column
    metrics = {"eval_accuracy": "val_acc", "test/top1": "test_acc", "accuracy_test": "test_acc", "Val Loss": "val_loss"}
    metrics |= {"accuracy": "accuracy", "final_test_acc": "test_acc", "val_top5": "val_acc5", "loss": "loss"}
    for column, metric in metrics.items():
        assert columns.meaning(column) == Meaning("metric", metric), column
    for column in ("aug", "best_val_acc", "test_time", "trainable", "", "ImageNetV2"):
        assert columns.meaning(column) is None, column


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(columns.FACTORS)), st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_any_value_is_a_factor_or_told(name, value):
    known, problem = factors.of(name, value)
    assert known is None or problem is None
    if problem is None and known is not None:
        assert factors.of(name, known) == (known, None)


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join), min_size=1, unique=True))
def test_a_key_always_means_its_own_model(keys):
    places = Places.of(keys, "zoo")
    for key in keys:
        assert places.find(key) == [key]
        assert key in places.find(f"/home/me/{key}") or any(k in keys for k in places.find(f"/home/me/{key}"))
        assert all(f"/{k}".endswith(f"/{key}") or f"/{key}".endswith(f"/{k}") for k in places.find(key))

"""The YAML reader: plain data in, plain data out, and nothing but BlueprintError ever escapes."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vitzoo.blueprint import reader
from vitzoo.errors import BlueprintError

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]))
    | st.sampled_from(["NO", "1e-3", "0o7", "0x1f", "~", "null", "2001-01-01", ".5", "1_000", "<<", "-", "12:30:45"])
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.NO1~", max_size=6), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.0", 0.0),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2001-01-01", "2001-01-01"),
        ("~", None),
        ("Null", None),
        ("TRUE", True),
        ("'1'", "1"),
        ('"true"', "true"),
        ("", None),
        ("# nothing", None),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = reader.read(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: &x 1\nb: *x", "anchors"),
        ("a: *x", "anchors"),
        ("a: 1\na: 2", "line 2, column 1: the key 'a' occurs twice"),
        ("a: !!python/object:os.system x", "tags"),
        ("!!str 5", "tags"),
        ("a: 1\n---\nb: 2", "second document"),
        ("[" * 33, "deeper than 32"),
        ("[" * 100_000, "deeper than 32"),
        ("- " * 10_000, "deeper than 32"),
        ("{a: " * 5000, "deeper than 32"),
        ("? [1, 2]\n: 3", "a key must be a name"),
        ("a: " + "9" * 5000, "5,000 characters"),
        ("a: .nan", "not a finite"),
        ("a: -.INF", "not a finite"),
        ("a: 1e999", "not a finite"),
        ("a: [1", "not YAML"),
        ("a: b: c", "not YAML"),
        ("\x00", "not YAML"),
        ("a: '\ud800'", "not UTF-8"),
        ("x" * 1_000_001, "larger than 1,000,000 bytes"),
    ],
)
def test_refuses(text: str, part: str) -> None:
    with pytest.raises(BlueprintError, match=part.replace("(", r"\(")):
        reader.read(text, "bad.yaml")


def test_merge_key_is_an_ordinary_key() -> None:
    assert reader.read("<<: {a: 1}") == {"<<": {"a": 1}}


def test_decode_refuses_binary_and_huge_files() -> None:
    with pytest.raises(BlueprintError, match="not UTF-8"):
        reader.decode(b"\x89PNG\r\n\xff", "x.yaml")
    with pytest.raises(BlueprintError, match="larger"):
        reader.decode(b" " * 1_000_001, "x.yaml")
    assert reader.decode(b"\xef\xbb\xbfa: 1", "x.yaml") == "a: 1"


@given(DATA)
def test_written_data_reads_back(data: Any) -> None:
    assert reader.read(reader.write(data)) == data


@given(DATA)
def test_json_is_yaml(data: Any) -> None:
    assert reader.read(json.dumps(data, ensure_ascii=False)) == data


@given(st.text() | st.text("[]{}:,-?&*!|>'\"%@`#\n ab1.e", max_size=40))
def test_only_blueprint_errors_escape_text(text: str) -> None:
    try:
        reader.read(text)
    except BlueprintError as error:
        assert str(error)


@given(st.binary(max_size=60))
def test_only_blueprint_errors_escape_bytes(raw: bytes) -> None:
    try:
        reader.read(reader.decode(raw, "x"))
    except BlueprintError as error:
        assert str(error)


@given(st.text("[]{}:,-?&*!|>'\"%@`#\n ab1.e", max_size=40))
def test_the_pure_parser_agrees(text: str) -> None:
    """Where libyaml is missing, PyYAML's own parser gives the same data; the two differ in what they refuse."""
    try:
        expected = reader.read(text)
        found = reader._build(yaml.parse(text, Loader=yaml.SafeLoader), "x")
    except (BlueprintError, yaml.YAMLError):
        return
    assert found == expected


def test_a_lone_surrogate_is_refused_by_both_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    for parser in (reader._Parser, yaml.SafeLoader):
        monkeypatch.setattr(reader, "_Parser", parser)
        with pytest.raises(BlueprintError):
            reader.read(r'a: "\ud800"')

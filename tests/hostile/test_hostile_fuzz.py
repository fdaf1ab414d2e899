"""Sound files with damage drawn at random: a reader gives a sound result or an error of ours, and is quick about it."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from corpus_json import TEXTS
from hostile_zoo import AT, BLUEPRINT, CHILD, child_config, weights

from vitzoo.blueprint import expand, parse, reader
from vitzoo.errors import VitzooError
from vitzoo.zoo import declaration, results, rows, safetensors_io, zoo_json
from vitzoo.zoo.checkpoint import check_manifest
from vitzoo.zoo.layout import MANIFEST, RESULT
from vitzoo.zoo.member import check_config
from vitzoo.zoo.safetensors_header import PREFIX, header_length, parse_header
from vitzoo.zoo.strict_json import encode
from vitzoo.zoo.strict_json import parse as parse_json

SECONDS = 0.4  # for each kind of file, so that the whole takes few; in all of them thousands of files are tried
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e308),
    *("", "0", "\0", "../../x", "\ud800", "\x1b[2J", "x" * 300, "model.safetensors"),
    *([], [[]], [1] * 9, {}, {"": {}}, {"format": 1}, float("nan"), float("inf")),
]


def header(data: bytes) -> None:
    size = len(data)
    length = header_length(data[:PREFIX], size, "x")
    slots = parse_header(data[PREFIX : PREFIX + length], size, "x")
    assert sum(slot.end - slot.begin for slot in slots.values()) == size - PREFIX - length
    assert all(PREFIX + length <= slot.begin <= slot.end <= size for slot in slots.values())


def config(data: bytes) -> None:
    found = check_config(parse_json(data, "x"), "x")
    declaration.architecture(found, "x")
    factors = rows.factors(found["recipe"])
    rows.too_long(factors)
    assert all(isinstance(name, str) for name in factors)
    assert parse_json(encode(found), "x") == found


def manifest(data: bytes) -> None:
    found = check_manifest(parse_json(data, "x"), "x", CHILD, 1)
    assert all(type(entry["size"]) is int and entry["size"] >= 0 for entry in found["files"].values())


def result(data: bytes) -> None:
    found = results.check(data, "x")
    assert sorted(found) == list(found)
    results.diverged(found)


def head(data: bytes) -> None:
    found = zoo_json.check(parse_json(data, "x"), "x")
    assert found["name"].isprintable()


def blueprint(data: bytes) -> None:
    document = parse(reader.read(reader.decode(data, "x")))
    if len(document.pretraining) <= 100:
        expand(document)


def _weights(root: Path) -> bytes:
    safetensors_io.write(root / "fuzz", weights(1))
    return (root / "fuzz").read_bytes()


SOUND: dict[str, tuple[Callable[[bytes], None], Callable[[Path], bytes]]] = {
    "header": (header, _weights),
    "config": (config, lambda root: json.dumps(child_config()).encode()),
    "manifest": (manifest, lambda root: (root / AT / MANIFEST).read_bytes()),
    "result": (result, lambda root: (root / AT.parent / RESULT).read_bytes()),
    "zoo": (head, lambda root: (root / "zoo.json").read_bytes()),
    "blueprint": (blueprint, lambda root: BLUEPRINT.encode()),
}
SCRAPS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b":",
    b",",
    b"\0",
    b"\xff",
    b"\n",
    b"- ",
    b"&a ",
    b"*a",
    b"!!x ",
    b"1e999",
    b"9" * 30,
]
SCRAPS += [data for data, _, _ in TEXTS.values()]


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Change some bytes, or a stretch of them."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5))):
        at, length = draw.randrange(len(found) + 1), draw.choice((1, 1, 4, 40))
        kind = draw.randrange(5)
        if kind == 0 and at < len(found):
            found[at] = draw.randrange(256)
        elif kind == 1:
            del found[at : at + length]
        elif kind == 2:
            found[at:at] = draw.choice(SCRAPS)
        elif kind == 3:
            found[at:at] = found[at : at + length] * draw.choice((1, 2, 40))
        else:
            other = draw.randrange(len(found) + 1)
            found[at : at + length] = found[other : other + length]
    return bytes(found)


def twisted(value: Any, draw: random.Random) -> Any:
    """Put something odd somewhere into JSON data."""
    if not isinstance(value, dict | list) or not value or draw.random() < 0.15:
        return draw.choice(ODD)
    found = dict(value) if isinstance(value, dict) else list(value)
    key = draw.choice(list(found)) if isinstance(found, dict) else draw.randrange(len(found))
    if isinstance(found, dict) and draw.random() < 0.2:
        found[draw.choice((*found, "\x1b", "", "LR", "a/b"))] = draw.choice(ODD)
    elif isinstance(found, dict) and draw.random() < 0.1:
        del found[key]
    else:
        found[key] = twisted(found[key], draw)
    return found


def variants(kind: str, data: bytes, draw: random.Random) -> bytes:
    if kind == "blueprint" or draw.random() < 0.4:
        return damaged(data, draw)
    if kind == "header":
        length = int.from_bytes(data[:PREFIX], "little")
        text = json.dumps(twisted(json.loads(data[PREFIX : PREFIX + length]), draw)).encode()
        return len(text).to_bytes(PREFIX, "little") + text + data[PREFIX + length :]
    if kind == "result":
        lines = [json.loads(line) for line in data.splitlines()]
        lines[draw.randrange(len(lines))] = twisted(draw.choice(lines), draw)
        return b"\n".join(json.dumps(line).encode() for line in lines)
    return json.dumps(twisted(json.loads(data), draw)).encode()


@pytest.mark.parametrize("kind", SOUND)
def test_damage_is_an_error_of_ours_or_none(kind: str, root: Path) -> None:
    read, make = SOUND[kind]
    data, draw = make(root), random.Random(f"vitzoo {kind}")
    tried = refused = 0
    end = time.process_time() + SECONDS
    while time.process_time() < end:
        variant, begun = variants(kind, data, draw), time.process_time()
        tried += 1
        try:
            read(variant)
        except VitzooError as error:
            refused += 1
            assert str(error).endswith((".", "?"))
            assert str(error).isprintable(), error
        except BaseException:
            print(variant)
            raise
        assert time.process_time() - begun < 0.5
    assert tried > 200
    assert refused > tried / 5

"""Our writer against the safetensors library, and our reader against damaged files."""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo import safetensors_io as io
from vitzoo.zoo.placing import Memory, plan

DTYPES = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)
names = st.text(st.characters(categories=["L", "N", "P"], exclude_characters="/\\"), min_size=1, max_size=8)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal down to the bits, so that NaN payloads and signed zeros count."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tensors=st.dictionaries(names, arrays, max_size=5))
def test_round_trip_and_library_reads_the_same(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    path = tmp_path / "t.safetensors"
    path.unlink(missing_ok=True)
    sha256, size = io.write(path, tensors)
    data = path.read_bytes()
    assert (sha256, size) == (hashlib.sha256(data).hexdigest(), len(data))
    ours, theirs = io.read(path), safetensors.numpy.load(data)
    assert list(ours) == list(tensors)
    assert ours.keys() == theirs.keys()
    assert all(same(ours[name], a) and same(theirs[name], a) for name, a in tensors.items())


def test_reads_what_the_library_writes(tmp_path: Path) -> None:
    tensors = {"x": np.arange(6, dtype="f4").reshape(2, 3), "n": np.array([7], "i8"), "e": np.zeros((0, 2), "f2")}
    safetensors.numpy.save_file(tensors, tmp_path / "t", metadata={"a": "b"})
    found = io.read(tmp_path / "t")
    assert all(same(found[name], array) for name, array in tensors.items())
    assert list(io.read(tmp_path / "t", ["n"])) == ["n"]


def test_nan_payload_survives(tmp_path: Path) -> None:
    bits = np.array([0x7FC12345, 0xFFA00001, 0x80000000], "u4")
    io.write(tmp_path / "t", {"x": bits.view("f4")})
    assert (io.read(tmp_path / "t")["x"].view("u4") == bits).all()


def test_golden_bytes(tmp_path: Path) -> None:
    io.write(tmp_path / "t", {"b": np.array([1], "u1"), "a": np.array(1.5, "f4")})
    header = (
        b'{"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},'
        b'"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}'
    )
    header += b" " * (-len(header) % 8)
    assert (tmp_path / "t").read_bytes() == len(header).to_bytes(8, "little") + header + b"\0\0\xc0?\1"


def test_layout_in_memory_does_not_matter(tmp_path: Path) -> None:
    plain = np.arange(12, dtype="f4").reshape(3, 4)
    kinds = {"c": plain, "f": np.asfortranarray(plain), "v": plain.repeat(2, 0)[::2], "big": plain.astype(">f4")}
    kinds["buffer"] = memoryview(plain)
    digests = set()
    for kind, array in kinds.items():
        digests.add(io.write(tmp_path / kind, {"x": array})[0])
    assert len(digests) == 1


def test_bfloat16_is_widened(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    tensor = torch.tensor([1.5, -2.0, float("inf")], dtype=torch.bfloat16)
    save_file({"x": tensor}, tmp_path / "t")
    assert io.read(tmp_path / "t")["x"].tolist() == [1.5, -2.0, float("inf")]


def test_unknown_name_says_the_nearest(tmp_path: Path) -> None:
    io.write(tmp_path / "t", {"head.weight": np.zeros(1, "f4")})
    with pytest.raises(InputError, match=r"Did you mean 'head\.weight'"):
        io.read(tmp_path / "t", ["head.weigth"])


@pytest.mark.parametrize(
    "tensors",
    [
        {"x": np.array(["a"])},
        {"x": np.zeros(1, "c16")},
        {"": np.zeros(1)},
        {"a\nb": np.zeros(1)},
        {"__metadata__": np.zeros(1)},
        {"x": np.zeros((1,) * 9)},
        {str(i): np.zeros(0) for i in range(4097)},
    ],
)
def test_refuses_to_write(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError):
        io.write(tmp_path / "t", tensors)


def raw(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: Any = "F32", shape: Any = (1,), begin: Any = 0, end: Any = 4) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


HOSTILE = {
    "empty": b"",
    "short": b"\1\0\0",
    "length beyond file": (10**6).to_bytes(8, "little") + b"{}",
    "length 2^63": (2**63).to_bytes(8, "little") + b"{}",
    "header over 1 MB": raw(b"{" + b" " * 1_000_001 + b"}"),
    "no json": raw(b"xx"),
    "no utf-8": raw(b'{"\xff": 1}'),
    "no object": raw([1]),
    "deep": raw(b'{"a":' * 5000 + b"1" + b"}" * 5000),
    "deep but parsable": raw(b'{"a":' * 40 + b"1" + b"}" * 40),
    "duplicate": raw(
        b'{"a":' + json.dumps(entry()).encode() + b',"a":' + json.dumps(entry()).encode() + b"}", bytes(4)
    ),
    "many": raw({str(i): entry(shape=[0], end=0) for i in range(4097)}),
    "overlap": raw({"a": entry(), "b": entry(begin=2, end=6)}, bytes(6)),
    "same range": raw({"a": entry(), "b": entry()}, bytes(4)),
    "gap": raw({"a": entry(), "b": entry(begin=8, end=12)}, bytes(12)),
    "cut off": raw({"a": entry()}, bytes(3)),
    "appended": raw({"a": entry()}, bytes(5)),
    "wrong size": raw({"a": entry(shape=[2])}, bytes(4)),
    "negative": raw({"a": entry(begin=-4, end=0)}),
    "negative side": raw({"a": entry(shape=[-1])}, bytes(4)),
    "huge side": raw({"a": entry(shape=[0, 2**40], end=0)}),
    "overflow": raw({"a": entry(shape=[2**30] * 8)}, bytes(4)),
    "bool side": raw({"a": entry(shape=[True])}, bytes(4)),
    "text shape": raw({"a": entry(shape="1")}, bytes(4)),
    "dtype": raw({"a": entry(dtype="F99")}, bytes(4)),
    "dtype list": raw({"a": entry(dtype=["F32"])}, bytes(4)),
    "offsets": raw({"a": entry() | {"data_offsets": [0]}}, bytes(4)),
    "float offsets": raw({"a": entry(begin=0.0, end=4.0)}, bytes(4)),
    "no entry": raw({"a": 3}),
    "nul name": raw({"../../etc\0": entry()}, bytes(4)),
    "long number": raw(b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', bytes(4)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(data)
    for reads in (io.read_header, io.read):
        with pytest.raises(IntegrityError, match=r"t\.safetensors"):
            reads(path)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_the_header_is_typed(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "t"
    path.unlink(missing_ok=True)
    io.write(path, {"a": np.zeros((2, 2), "f4"), "b": np.zeros(3, "i8")})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(IntegrityError):
        io.read(path)


def test_links_and_directories_are_refused(tmp_path: Path) -> None:
    io.write(tmp_path / "t", {})
    (tmp_path / "link").symlink_to(tmp_path / "t")
    for name in ("link", ".", "missing"):
        with pytest.raises(IntegrityError):
            io.read(tmp_path / name)


def test_tensors_that_touch_are_read_at_once_and_lie_as_in_the_file(tmp_path: Path) -> None:
    tensors = {"c": np.arange(3, dtype="u1"), "a": np.arange(5, dtype="f4"), "b": np.arange(6, dtype="i8")}
    io.write(tmp_path / "t", tensors)
    slots = io.read_header(tmp_path / "t")
    assert plan(slots).runs == [(slots["b"].begin, slots["c"].end, slots["b"].begin % 64)]
    assert len(plan({name: slots[name] for name in ("b", "c")}).runs) == 2
    for names in (["a"], ["c", "b"], ["b", "a", "c"], []):
        found = io.read(tmp_path / "t", names)
        assert list(found) == names
        assert all(same(found[name], tensors[name]) and found[name].flags.writeable for name in names)
        assert all(array.flags.aligned for array in found.values())


def test_memory_is_used_again(tmp_path: Path) -> None:
    memory = Memory()
    for name, size in (("small", 10), ("large", 1000), ("other", 1000)):
        io.write(tmp_path / name, {"x": np.full(size, len(name), "f4")})
    assert io.read(tmp_path / "small", None, memory)["x"].tolist() == [5.0] * 10
    large = io.read(tmp_path / "large", None, memory)["x"]
    io.read(tmp_path / "other", None, memory)
    assert large[0] == 5.0
    assert io.read(tmp_path / "small", None, memory)["x"].ctypes.data <= large.ctypes.data < large.ctypes.data + 4000
    fresh = [io.read(tmp_path / "large")["x"] for _ in range(2)]
    assert not np.shares_memory(*fresh)


def test_numbers_that_others_do_not_align_are_aligned(tmp_path: Path) -> None:
    data = np.arange(3, dtype="<f4").tobytes()
    header = {"odd": entry("U8", [1], 0, 1), "x": entry("F32", [3], 1, 13)}
    (tmp_path / "t").write_bytes(raw(header, b"\7" + data))
    for names in (None, ["x"]):
        found = io.read(tmp_path / "t", names)["x"]
        assert found.tolist() == [0.0, 1.0, 2.0]
        assert found.flags.aligned


def test_a_header_that_was_seen_is_not_believed_of_another_file(tmp_path: Path) -> None:
    """What is remembered of headers is remembered with the size of the file."""
    io.write(tmp_path / "t", {"x": np.zeros(4, "f4")})
    assert io.read(tmp_path / "t")
    with (tmp_path / "t").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(IntegrityError, match="its header speaks of"):
        io.read(tmp_path / "t")
    io.write(tmp_path / "u", {"x": np.zeros(4, "f4")})
    io.read_header(tmp_path / "u").clear()
    assert list(io.read_header(tmp_path / "u")) == ["x"]


def test_a_file_larger_than_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    io.write(tmp_path / "t", {"x": np.zeros(400, "f4"), "y": np.zeros(4, "f4")})
    monkeypatch.setattr(io, "_memory_of_this_machine", lambda: 1000)
    with pytest.raises(InputError, match="this machine has 1,000 of memory"):
        io.read(tmp_path / "t")
    assert io.read(tmp_path / "t", ["y"])["y"].shape == (4,)

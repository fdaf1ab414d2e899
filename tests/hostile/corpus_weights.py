"""Hostile files of weights: headers that lie, names that lead elsewhere, shapes of other models, and no safetensors."""

import gzip
import io
import json
import pickle
import struct
import zipfile
from typing import Any

import numpy as np
from hostile_zoo import weights
from safetensors.numpy import save

I = "IntegrityError"  # noqa: E741
Cases = dict[str, tuple[bytes, str, str]]  # name → (bytes, error, a phrase of its message)


def raw(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype: Any = "F32", shape: Any = (1,), begin: Any = 0, end: Any = 4, **other: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **other}


def one(name: str) -> bytes:
    """A file of one sound tensor of this name."""
    return raw({name: entry()}, bytes(4))


def text(entry_text: str, data: bytes = bytes(4)) -> bytes:
    """A header that no JSON writer would write."""
    return raw(entry_text.encode(), data)


ENTRY = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'

HEADERS: Cases = {
    "empty": (b"", I, "cut off or damaged"),
    "seven-bytes": (bytes(7), I, "cut off or damaged"),
    "length-beyond-file": (struct.pack("<Q", 100) + b"{}", I, "cut off or damaged"),
    "length-2-to-63": (struct.pack("<Q", 2**63) + b"{}", I, "cut off or damaged"),
    "length-2-to-64-minus-8": (struct.pack("<Q", 2**64 - 8) + b"{}", I, "cut off or damaged"),
    "length-zero": (raw(b""), I, "not a JSON object"),
    "not-json": (raw(b"{xx}"), I, "not valid JSON"),
    "not-utf8": (raw(b'{"\xff":1}'), I, "not valid JSON"),
    "utf16": (raw('{"a":1}'.encode("utf-16-le")), I, "not a JSON object"),
    "list": (raw([1]), I, "not a JSON object"),
    "leading-space": (text(' {"a":' + ENTRY + "}"), I, "not a JSON object followed by spaces only"),
    "byte-order-mark": (raw(b"\xef\xbb\xbf" + b'{"a":' + ENTRY.encode() + b"}", bytes(4)), I, "not a JSON object"),
    "trailing-newline": (text('{"a":' + ENTRY + "}\n"), I, "followed by spaces only"),
    "trailing-nul": (text('{"a":' + ENTRY + "}\0"), I, "followed by spaces only"),
    "second-object": (text('{"a":' + ENTRY + "}{}"), I, "not valid JSON"),
    "nested-33": (raw(b'{"a":' * 33 + b"1" + b"}" * 33), I, "nested more than 32 deep"),
    "nested-1000": (raw(b'{"a":' * 1000 + b"1" + b"}" * 1000), I, "header of"),
    "name-twice": (text('{"a":' + ENTRY + ',"a":' + ENTRY + "}"), I, "a key occurs twice"),
    "name-twice-escaped": (text('{"a":' + ENTRY + ',"\\u0061":' + ENTRY + "}"), I, "a key occurs twice"),
    "field-twice": (text('{"a":' + ENTRY.replace("{", '{"dtype":"F16",') + "}"), I, "a key occurs twice"),
    "field-unknown": (raw({"a": entry(strides=[1])}, bytes(4)), I, "its entry is not a known dtype"),
    "field-missing": (raw({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)), I, "its entry is not a known dtype"),
    "entry-number": (raw({"a": 3}), I, "its entry is not a known dtype"),
    "metadata-number": (raw({"__metadata__": {"format": 1}, "a": entry()}, bytes(4)), I, "no map of texts"),
    "metadata-list": (raw({"__metadata__": ["pt"], "a": entry()}, bytes(4)), I, "no map of texts"),
    "metadata-nan": (text('{"__metadata__":{"a":NaN}}', b""), I, "NaN is not a JSON number"),
}
RANGES: Cases = {
    "overlap": (raw({"a": entry(), "b": entry(begin=2, end=6)}, bytes(6)), I, "overlap others or leave a gap"),
    "same-range": (raw({"a": entry(), "b": entry()}, bytes(4)), I, "overlap others or leave a gap"),
    "gap": (raw({"a": entry(), "b": entry(begin=8, end=12)}, bytes(12)), I, "overlap others or leave a gap"),
    "gap-at-the-beginning": (raw({"a": entry(begin=4, end=8)}, bytes(8)), I, "overlap others or leave a gap"),
    "cut-off": (raw({"a": entry()}, bytes(3)), I, "its header speaks of"),
    "byte-appended": (raw({"a": entry()}, bytes(5)), I, "its header speaks of"),
    "no-tensors-but-data": (raw({}, bytes(4)), I, "its header speaks of"),
    "range-too-short": (raw({"a": entry(shape=[2])}, bytes(4)), I, "does not fit shape"),
    "range-negative": (raw({"a": entry(begin=-4, end=0)}), I, "overlap others or leave a gap"),
    "range-backwards": (raw({"a": entry(begin=4, end=0)}, bytes(4)), I, "does not fit shape"),
    "range-beyond-64-bits": (raw({"a": entry(begin=2**63, end=2**63 + 4)}), I, "too large for a whole number"),
    "range-of-floats": (raw({"a": entry(begin=0.0, end=4.0)}, bytes(4)), I, "its entry is not a known dtype"),
    "range-of-one": (text('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}'), I, "its entry is not"),
    "range-of-text": (text('{"a":{"dtype":"F32","shape":[1],"data_offsets":"04"}}'), I, "its entry is not"),
}
SHAPES: Cases = {
    "side-negative": (raw({"a": entry(shape=[-1])}, bytes(4)), I, "is not a shape"),
    "side-2-to-40": (raw({"a": entry(shape=[0, 2**40], end=0)}), I, "is not a shape"),
    "side-of-4400-digits": (text('{"a":' + ENTRY.replace("[1]", "[" + "9" * 4400 + "]") + "}"), I, "too large"),
    "sides-overflow": (raw({"a": entry(shape=[2**30] * 3)}, bytes(4)), I, "is not a shape"),
    "sides-overflow-and-a-zero": (raw({"a": entry(shape=[0, *[2**30] * 3], end=0)}), I, "is not a shape"),
    "side-true": (raw({"a": entry(shape=[True])}, bytes(4)), I, "is not a shape"),
    "side-float": (raw({"a": entry(shape=[1.0])}, bytes(4)), I, "is not a shape"),
    "sides-nine": (raw({"a": entry(shape=[1] * 9)}, bytes(4)), I, "is not a shape"),
    "shape-text": (raw({"a": entry(shape="1")}, bytes(4)), I, "is not a shape"),
    "shape-nested": (raw({"a": entry(shape=[[1]])}, bytes(4)), I, "is not a shape"),
    "type-unknown": (raw({"a": entry(dtype="F99")}, bytes(4)), I, "its entry is not a known dtype"),
    "type-list": (raw({"a": entry(dtype=["F32"])}, bytes(4)), I, "its entry is not a known dtype"),
    "type-object": (raw({"a": entry(dtype="O")}, bytes(4)), I, "its entry is not a known dtype"),
    "truth-of-2": (raw({"a": entry(dtype="BOOL", end=1)}, b"\2"), I, "not all 0 or 1"),
}
NAMES: Cases = {
    "name-leads-out": (one("../../etc/passwd"), I, "no slash"),
    "name-is-absolute": (one("/etc/passwd"), I, "no slash"),
    "name-with-backslash": (one("..\\evil"), I, "no slash"),
    "name-with-nul": (one("head\0.weight"), I, "printable characters"),
    "name-with-escape": (one("\x1b]0;owned\x07"), I, "printable characters"),
    "name-with-half-a-character": (text('{"\\ud800":' + ENTRY + "}"), I, "not valid JSON"),
    "name-turns-text-around": (one("head\u202etxt.exe"), I, "printable characters"),
    "name-empty": (one(""), I, "printable characters"),
    "name-of-300": (one("x" * 300), I, "printable characters"),
}


def models() -> Cases:
    """Sound files, but of other models than the config declares."""
    sound = weights(1)
    first = next(iter(sound))
    other = {
        "model-lacks-a-tensor": {name: array for name, array in sound.items() if name != "norm.bias"},
        "model-has-a-tensor-more": sound | {"blocks.1.norm1.weight": np.zeros(4, "f4")},
        "model-is-wider": sound | {"head.weight": np.zeros((3, 8), "f4")},
        "model-is-transposed": sound | {"blocks.0.attn.qkv.weight": np.zeros((4, 12), "f4")},
        "model-has-a-scalar": sound | {first: np.zeros((), "f4")},
    }
    found = {name: (save(tensors), I, "the config declares") for name, tensors in other.items()}
    whole = {name: array.astype("i4") for name, array in sound.items()}
    return found | {
        "model-of-integers": (save(whole), I, "I32 is no type of weights"),
        "no-model": (raw({}), I, "none"),
    }


class Canary:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("canary-was-here", "w"))


def containers() -> Cases:
    """Files of other formats, some of which run code in programs that trust them."""
    archive, stamp = io.BytesIO(), (2020, 1, 1, 0, 0, 0)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("archive/data.pkl", stamp), pickle.dumps(Canary(), 2))
        file.writestr(zipfile.ZipInfo("../../evil", stamp), b"x")
    array = io.BytesIO()
    np.save(array, np.zeros(2, "f4"))
    return {
        "pickle-of-protocol-0": (pickle.dumps(Canary(), 0), I, "cut off or damaged"),
        "pickle-of-protocol-4": (pickle.dumps(Canary(), 4), I, "cut off or damaged"),
        "torch-archive": (archive.getvalue(), I, "cut off or damaged"),
        "npy": (array.getvalue(), I, "cut off or damaged"),
        "gzip": (gzip.compress(bytes(100_000), mtime=0), I, "cut off or damaged"),
        "pointer-of-git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", I, "cut off or damaged"),
        "html": (b"<!doctype html><title>404 Not Found</title>", I, "cut off or damaged"),
    }


def cases() -> Cases:
    return {**HEADERS, **RANGES, **SHAPES, **NAMES, **models(), **containers()}

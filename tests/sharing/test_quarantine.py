"""Files that mean harm, and the process that reads them: nothing is executed, nothing is written, nobody waits long."""

import io
import os
import pickle
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from official_tree import CLASSES, weights
from safetensors.torch import save_file

from vitzoo.blueprint.schema import Head
from vitzoo.errors import InputError
from vitzoo.sharing.importing.quarantine import pool as pools
from vitzoo.sharing.importing.quarantine.pool import Converted, Pool
from vitzoo.zoo import safetensors_io

STATE = weights(1, Head(outputs=CLASSES))


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with Pool(tmp_path_factory.mktemp("outbox"), 1) as made:
        yield made


def convert(pool: Pool, path: Path) -> Converted:
    return pool.submit(pool.convert, path, {}).result(timeout=60)


def saved(value: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def same(found: Converted) -> bool:
    read = safetensors_io.read(found.path)
    return list(read) == list(STATE) and all(np.array_equal(read[name], STATE[name].numpy()) for name in STATE)


@pytest.mark.parametrize(
    "data",
    [
        saved(STATE),
        saved(STATE, _use_new_zipfile_serialization=False),
        saved({f"module.vit.{name}": tensor for name, tensor in STATE.items()}),
        saved({"epoch": 3, "args": {"lr": 0.1}, "model": {"state_dict": {f"vit.{n}": t for n, t in STATE.items()}}}),
        saved({name: torch.nn.Parameter(tensor) for name, tensor in reversed(STATE.items())}),
        saved({name: torch.stack([tensor, tensor])[0] for name, tensor in STATE.items()}),  # views of larger storages
    ],
    ids=["archive", "legacy", "prefixed", "nested", "reversed", "views"],
)
def test_what_is_sound_is_read_bit_for_bit(pool: Pool, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "checkpoints").write_bytes(data)
    assert same(convert(pool, tmp_path / "checkpoints"))


def test_safetensors_and_arrays_are_read_too(pool: Pool, tmp_path: Path) -> None:
    save_file({f"vit.{name}": tensor for name, tensor in STATE.items()}, tmp_path / "a.safetensors", {"x": "y"})
    assert same(convert(pool, tmp_path / "a.safetensors"))
    save_file({name: tensor.bfloat16() for name, tensor in STATE.items()}, tmp_path / "b.safetensors")
    found = safetensors_io.read(convert(pool, tmp_path / "b.safetensors").path)
    assert all(np.array_equal(found[name], STATE[name].bfloat16().float().numpy()) for name in STATE)
    np.savez(tmp_path / "c.npz", **{name: tensor.numpy() for name, tensor in STATE.items()})
    assert same(convert(pool, tmp_path / "c.npz"))


def test_equal_weights_are_equal_bytes_whatever_they_came_in(pool: Pool, tmp_path: Path) -> None:
    digests = set()
    for number, data in enumerate([saved(STATE), saved({f"vit.{n}": STATE[n] for n in sorted(STATE)})]):
        (tmp_path / str(number)).write_bytes(data)
        digests.add(convert(pool, tmp_path / str(number)).sha256)
    assert digests == {safetensors_io.sha256({name: tensor.numpy() for name, tensor in STATE.items()})}


class Gadget:
    """Calls a function when it is unpickled by someone who should not."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


CANARY = "/tmp/vitzoo-canary-that-must-not-exist"
GADGETS = {
    "os.system": Gadget(os.system, f"touch {CANARY}"),
    "eval": Gadget(eval, f"open({CANARY!r}, 'w')"),
    "exec": Gadget(exec, f"open({CANARY!r}, 'w')"),
    "open": Gadget(open, CANARY, "w"),
    "torch.save": Gadget(torch.save, 1, CANARY),
    "numpy": Gadget(np.save, CANARY, np.zeros(1)),
    "getattr": Gadget(getattr, "", "join"),
    "import": Gadget(__import__, "antigravity"),
}


@pytest.mark.parametrize("name", GADGETS)
@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_that_a_pickle_names_is_called(pool: Pool, tmp_path: Path, name: str, legacy: bool) -> None:
    path = tmp_path / "checkpoints"
    path.write_bytes(saved({**STATE, "x": GADGETS[name]}, _use_new_zipfile_serialization=not legacy))
    with pytest.raises(InputError, match=r"checkpoints: it names '.*', which is neither a tensor nor a plain value"):
        convert(pool, path)
    assert not Path(CANARY).exists()
    path.write_bytes(pickle.dumps(GADGETS[name]))  # a bare pickle
    with pytest.raises(InputError):
        convert(pool, path)
    assert not Path(CANARY).exists()


def test_a_planted_gadget_would_work(tmp_path: Path) -> None:
    """The test above can fail: read carelessly, the same bytes do leave a canary."""
    canary = tmp_path / "canary"
    pickle.loads(pickle.dumps(Gadget(os.system, f"touch {canary}")))  # noqa: S301
    assert canary.exists()


def zipped(*parts: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in parts:
            file.writestr(name, data)
    return buffer.getvalue()


WHOLE = saved(STATE)
BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no torch archive"),
    "text": (b"not a checkpoint", "no torch archive"),
    "html": (b"<!DOCTYPE html><html>404</html>", "no torch archive"),
    "listing": (b'[{"name": "checkpoints"}]', "no torch archive"),
    "cut": (WHOLE[: len(WHOLE) // 2], "begins like an archive and is none"),
    "half a header": (WHOLE[:10], "begins like an archive and is none"),
    "zip of text": (zipped(("a.txt", b"x")), "torch cannot read it"),
    "zip bomb": (zipped(("a/data.pkl", b"\0" * 50_000_000), method=zipfile.ZIP_DEFLATED), "far larger than the file"),
    "npz bomb": (zipped(("a.npy", b"\0" * 50_000_000), method=zipfile.ZIP_DEFLATED), "far larger than the file"),
    "huge pickle": (zipped(("a/data.pkl", b"\0" * 16_000_001)), "pickle is larger"),
    "npz of objects": (
        zipped(
            (
                "a.npy",
                b"\x93NUMPY\x01\x00v\x00"
                + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117)
                + b"\n"
                + pickle.dumps([1]),
            )
        ),
        "NumPy cannot read it",
    ),
    "strided": (saved({"w": torch.zeros(1).expand(1 << 20, 1 << 20)}), "far more than the file"),
    "no tensors": (saved({"lr": 0.1}), "'lr' is no tensor"),
    "a list": (saved([torch.zeros(1)]), "list"),
    "a tensor": (saved(torch.zeros(3)), "no state dict"),
    "deep": (saved({"model": {"model": {"model": {"model": {"model": {"w": torch.zeros(1)}}}}}}), "state dict"),
    "sparse": (saved({"w": torch.eye(3).to_sparse()}), "sparse"),
    "complex": (saved({"w": torch.zeros(1, dtype=torch.complex64)}), "no"),
    "float8": (saved({"w": torch.zeros(1, dtype=torch.float8_e4m3fn)}), "no"),
    "meta": (saved({"w": torch.zeros(1, device="meta")}), "empty of data"),
    "another model": (saved({"conv1.weight": torch.zeros(3, 3)}), "no weights of a ViT"),
    "no head": (saved({n: t for n, t in STATE.items() if not n.startswith("head")}), "have no head"),
    "one lacks": (saved({n: t for n, t in STATE.items() if n != "norm.bias"}), "'norm.bias' has shape none"),
    "one too many": (saved({**STATE, "reg_token": torch.zeros(1, 4, 64)}), "'reg_token' has shape"),
    "another shape": (saved({**STATE, "norm.bias": torch.zeros(65)}), "'norm.bias' has shape"),
    "header of 2^60": (struct.pack("<Q", 1 << 60) + b"{}", "no torch archive"),
    "bare pickle": (pickle.dumps(Gadget(os.system, f"touch {CANARY}")), "it is damaged"),
    "million opcodes": (b"\x80\x02" + b"]" * 1_000_000 + b".", "t"),
    "memo bomb": (b"\x80\x02" + b"]q\x00" + b"(h\x00h\x00lq\x00" * 100_000 + b".", "t"),
    "long integer": (b"\x80\x02\x8b" + struct.pack("<i", 2_000_000_000) + b".", "t"),
    "recursive": (b"\x80\x02]q\x00h\x00a.", "t"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_refused_soon(pool: Pool, tmp_path: Path, name: str) -> None:
    data, said = BROKEN[name]
    path = tmp_path / "checkpoints"
    path.write_bytes(data)
    begun = time.monotonic()
    with pytest.raises(InputError, match=said) as caught:
        convert(pool, path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "weights_only=False" not in str(caught.value)
    assert time.monotonic() - begun < 10
    assert not Path(CANARY).exists()


def test_after_all_that_the_process_still_works(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(WHOLE)
    assert same(convert(pool, tmp_path / "a"))
    assert [path.suffix for path in pool.outbox.iterdir()] == [".safetensors"] * len(list(pool.outbox.iterdir()))


def test_what_is_not_finite_is_told(pool: Pool, tmp_path: Path) -> None:
    bad = {**STATE, "norm.bias": torch.full((64,), float("nan"))}
    (tmp_path / "a").write_bytes(saved(bad))
    assert not convert(pool, tmp_path / "a").finite
    huge = {**STATE, "norm.bias": torch.full((64,), 3e38)}  # a sum of these is not finite, each of them is
    (tmp_path / "b").write_bytes(saved(huge))
    assert convert(pool, tmp_path / "b").finite


def test_a_process_that_dies_or_sleeps_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(WHOLE)
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    with Pool(outbox, 1) as pool:
        convert(pool, tmp_path / "a")
        (child,) = pool._children
        child._process.kill()
        child._process.wait()
        convert(pool, tmp_path / "a")
        (_, child) = pool._children
        monkeypatch.setattr(pools, "PATIENCE", 0.3)
        os.kill(child._process.pid, 19)  # SIGSTOP
        with pytest.raises(InputError, match="took more than 0 s and was stopped"):
            convert(pool, tmp_path / "a")


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket()",
        "open('/tmp/vitzoo-canary-that-must-not-exist', 'w')",
        "open(OUTBOX / '..' / 'up', 'w')",
        "os.system('true')",
        "subprocess.Popen(['true'])",
        "os.remove('/etc/hostname')",
        "import antigravity",
        "eval('1')",
        "os.fork()",
        "ctypes.CDLL('libc.so.6')",
        "pickle.loads(pickle.dumps(pathlib.Path))",
    ],
)
def test_locks_hold(code: str, tmp_path: Path) -> None:
    """Whatever a reader could be made to do, its process cannot."""
    import subprocess
    import sys

    (tmp_path / "outbox").mkdir()
    program = (
        "import os, subprocess, pathlib, ctypes, pickle\n"
        "from vitzoo.sharing.importing.quarantine import locks\n"
        f"OUTBOX = pathlib.Path({str(tmp_path / 'outbox')!r})\n"
        "def probe():\n"
        f"    {code}\n"
        "locks.no_effects(OUTBOX)\n"
        "open(OUTBOX / 'allowed', 'w').close()\n"
        "try:\n    probe()\n"
        "except locks.Forbidden as error:\n    print('held:', error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("held: it led to"), done.stdout + done.stderr
    assert (tmp_path / "outbox" / "allowed").exists()

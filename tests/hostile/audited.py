"""Use a zoo in every way that reads, and note what Python's audit hook says happened that must not.

Usage: python audited.py ZOO FOLDER [violate]

FOLDER takes what is written. The names of what was done and what was noticed are printed as JSON. With ``violate``
things that must not happen are tried instead, to show that each is noticed: what is done are those that were not.
See https://docs.python.org/3/library/audit_events.html.
"""

import contextlib
import ctypes
import importlib
import ipaddress
import json
import marshal
import os
import pickle
import runpy
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLACES = [Path(word).resolve() for word in sys.argv[1:3]] if __name__ == "__main__" else [Path(), Path()]
ZOO, FOLDER = PLACES
TOKEN = "canary-was-here"  # in every pickle and module that is planted
PLANTED = ("params.pkl", ".metadata.pkl", "checkpoints", "pytorch_model.bin", "data.pkl", "evil.so")
LOOPBACK = ("localhost", "")
found: list[str] = []


class Forbidden(Exception):
    """Keeps what was noticed from happening."""


def inside(path: Any) -> bool:
    """Say whether a file of the zoo is meant; text that was made up has no file, and says so by a bracket."""
    try:
        return not os.fsdecode(path).startswith("<") and Path(os.fsdecode(path)).resolve().is_relative_to(ZOO)
    except (TypeError, ValueError):
        return False


def tainted(source: Any) -> bool:
    data = source.encode(errors="replace") if isinstance(source, str) else source
    return isinstance(data, bytes | bytearray | memoryview) and TOKEN.encode() in bytes(data)


def executed(code: Any, *rest: Any) -> bool:
    return inside(code.co_filename) or any(tainted(constant) for constant in code.co_consts)


def compiled(source: Any, filename: Any) -> bool:
    return tainted(source) or inside(filename)


def imported(module: str, filename: Any, *rest: Any) -> bool:
    return filename is not None and inside(filename)


def loaded(name: Any) -> bool:
    return name is not None and inside(name)


def opened(path: Any, mode: Any, flags: Any) -> bool:
    """What is planted is not to be read, and nothing is to be written anywhere else."""
    if isinstance(path, int) or path is None:
        return False
    place = Path(os.fsdecode(path))
    writing = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(flags, int) else False
    if writing and place.name != "null":
        return not (inside(place) or place.resolve().is_relative_to(FOLDER))
    return inside(place) and place.name in PLANTED


def far(address: Any) -> bool:
    """Say whether a host is another machine; other families of addresses stay on this one."""
    host = address[0] if isinstance(address, tuple) else address
    if not isinstance(address, tuple | str) or (isinstance(address, str) and address.startswith("/")):
        return False
    try:
        return not ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return str(host) not in LOOPBACK


def always(*arguments: Any) -> bool:
    return True


EVENTS: dict[str, Callable[..., bool]] = {
    "pickle.find_class": always,
    "marshal.loads": tainted,
    "compile": compiled,
    "exec": executed,
    "import": imported,
    "ctypes.dlopen": loaded,
    "open": opened,
    "socket.connect": lambda end, address: far(address),
    "socket.bind": lambda end, address: far(address),
    "socket.sendto": lambda end, address: far(address),
    "socket.getaddrinfo": lambda host, *rest: host is not None and far((host,)),
    "socket.gethostbyname": lambda host: far((host,)),
    "urllib.Request": always,
    "http.client.connect": always,
    "ftplib.connect": always,
    "webbrowser.open": always,
    "os.system": always,
    "os.exec": always,
    "os.posix_spawn": always,
    "os.spawn": always,
    "os.startfile": always,
    "os.fork": always,
    "os.forkpty": always,
    "pty.spawn": always,
    "subprocess.Popen": always,
    "code.__new__": lambda code, filename, *rest: inside(filename),
}


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    forbidden = EVENTS.get(event)
    if forbidden is not None and forbidden(*arguments):
        told = [str(argument)[:80] for argument in arguments[:3]]
        frames = traceback.extract_stack(limit=8)[:-1]
        found.append(f"{event} {told} at {' < '.join(f'{Path(f.filename).name}:{f.lineno}' for f in reversed(frames))}")
        raise Forbidden(event)


def read_everything() -> list[str]:
    """Do all that reads a zoo; return what was done. What a damaged zoo refuses is refused by an error of ours."""
    from vitzoo.errors import VitzooError

    done = []
    for name, action in actions().items():
        try:
            action()
        except VitzooError as error:
            name += f": {error}"
        done.append(name)
    return done


def actions() -> dict[str, Callable[[], object]]:
    import vitzoo
    from vitzoo.cli.main import main

    zoo = vitzoo.open(ZOO)

    def checkpoints(form: str) -> None:
        from vitzoo.torch import Checkpoints

        dataset = Checkpoints(zoo, "member LIKE 'pre%'", form=form, targets="test_acc")
        assert len([dataset[i] for i in range(len(dataset))]) > 0

    def command(*words: str) -> None:
        code = main([*words])
        assert code in (0, 1, 3, 4), (words, code)

    path, measured = str(ZOO), ["--data", str(FOLDER), "--cache", str(FOLDER)]
    commands = {
        "ls": ["ls", path],
        "ls where": ["ls", path, "--where", "epoch > 0"],
        "show": ["show", path, "pre-1"],
        "show json": ["show", path, "ft-1-sgd", "--json"],
        "verify": ["verify", path],
        "verify deep": ["verify", path, "--deep", "--json"],
        "lineage show": ["lineage", "show", path],
        "lineage check": ["lineage", "check", path],
        "tables": ["tables", path, *measured],
        "report": ["report", path, "--out", str(FOLDER / "report"), *measured],
    }
    calls: dict[str, Callable[[], object]] = {
        "table": lambda: zoo.table(),
        "rows": lambda: zoo.rows("is_last", ["member", "sha256"]),
        "lineage": lambda: zoo.lineage(),
        "members": lambda: [(m.config, m.status, m.curve(), m.children()) for m in zoo.members()],
        "tensors": lambda: [c.tensors() for m in zoo.members() for c in m.checkpoints()],
        "state_dict": lambda: zoo.checkpoint("pre-2").state_dict(),
        "check": lambda: zoo.checkpoint("pre-2").check(),
        "to_timm": lambda: zoo.checkpoint("pre-2").to_timm(),
        "flat": lambda: checkpoints("flat"),
        "model": lambda: checkpoints("model"),
        "blueprint": lambda: zoo.blueprint_text,
    }
    return calls | {f"vitzoo {name}": lambda words=words: command(*words) for name, words in commands.items()}


def fetch() -> None:
    from urllib.request import urlopen

    urlopen("https://example.com/")


def listen() -> None:
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))


def import_from_the_zoo() -> None:
    sys.path.insert(0, str(ZOO))
    importlib.import_module("evil")


def load_array() -> None:
    import numpy as np

    np.load(ZOO / "planted.npy", allow_pickle=True)


def load_weights() -> None:
    import torch

    torch.load(ZOO / "planted.bin", weights_only=False)


VIOLATIONS: dict[str, Callable[[], object]] = {
    "unpickle": lambda: pickle.loads((ZOO / "planted.bin").read_bytes()),  # noqa: S301
    "torch.load": load_weights,
    "numpy.load": load_array,
    "read a pickle": lambda: (ZOO / "params.pkl").read_bytes(),
    "compile": lambda: compile(f"x = {TOKEN!r}", "<text>", "exec"),
    "exec": lambda: exec((lambda: "canary-was-here").__code__),  # noqa: S102
    "run a file": lambda: runpy.run_path(str(ZOO / "evil.py")),
    "import": import_from_the_zoo,
    "marshal": lambda: marshal.loads(marshal.dumps(TOKEN)),  # noqa: S302
    "dlopen": lambda: ctypes.CDLL(str(ZOO / "evil.so")),
    "system": lambda: os.system("true"),
    "popen": lambda: subprocess.run(["true"], check=True),
    "fork": lambda: os.fork(),
    "connect": lambda: socket.socket().connect(("192.0.2.1", 80)),
    "look up": lambda: socket.getaddrinfo("example.com", 80),
    "fetch": fetch,
    "listen": listen,
    "write elsewhere": lambda: (ZOO.parent.parent / "elsewhere").write_text("x"),
}


def violate() -> list[str]:
    """Try everything that must not happen; return what the hook let pass."""
    passed = []
    for name, action in VIOLATIONS.items():
        noticed = len(found)
        with contextlib.suppress(Forbidden):
            action()
        if len(found) == noticed:
            passed.append(name)
    return passed


def main() -> None:
    out, sys.stdout = sys.stdout, sys.stderr
    sys.dont_write_bytecode = True
    os.environ["PATH"] = ""  # no C compiler: measures then use NumPy, and no process is needed
    os.environ |= dict.fromkeys(("TMPDIR", "MPLCONFIGDIR", "VITZOO_CACHE", "XDG_CACHE_HOME"), str(FOLDER))
    import matplotlib.font_manager  # noqa: F401  lists this machine's fonts by a program, once

    sys.addaudithook(hook)
    done = violate() if sys.argv[3:] == ["violate"] else read_everything()
    json.dump({"done": done, "found": found}, out)
    out.flush()


if __name__ == "__main__":
    main()

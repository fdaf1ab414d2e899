"""What tests let a guarded process do with a hostile file: read it by its reader, or list a zoo that holds it."""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas  # noqa: F401  what every job needs is imported before the first one is measured
import pyarrow.parquet  # noqa: F401
from hostile_zoo import ARCH, AT, CHILD, PLACES, plant

import vitzoo
from vitzoo.blueprint import load
from vitzoo.cli.main import main
from vitzoo.errors import VitzooError
from vitzoo.zoo import Zoo, catalogue_file, declaration, results, safetensors_io
from vitzoo.zoo import verify as check
from vitzoo.zoo.checkpoint import read_manifest


def weights(path: Path, root: Path) -> object:
    """The header, the shapes against the config, then every tensor."""
    declared = safetensors_io.read_header(path)
    found = safetensors_io.read(path)
    declaration.check(declared, ARCH, path)
    return found


def config(path: Path, root: Path) -> object:
    """The config of the child, and what it declares."""
    member = Zoo.open(root).members("finetuning")[0]
    return declaration.architecture(member.config, path)


READERS: dict[str, Callable[[Path, Path], object]] = {
    "weights": weights,
    "config": config,
    "manifest": lambda path, root: read_manifest(root / AT, CHILD, 1),
    "result": lambda path, root: results.read(path),
    "zoo": lambda path, root: Zoo.open(root),
    "blueprint": lambda path, root: load(path),
}


def read(kind: str, file: str, root: str) -> str:
    """Put a file into a zoo and let its reader read it; return what was read as text, so that a success is seen."""
    with restored(Path(root)):
        place = plant(Path(root), kind, Path(file).read_bytes())
        return str(READERS[kind](Path(root) / place, Path(root)))[:200]


def verify(kind: str, file: str, root: str) -> dict[str, Any]:
    """Put a file into a zoo and let ``vitzoo verify`` look at it."""
    with restored(Path(root)):
        plant(Path(root), kind, Path(file).read_bytes())
        return command("verify", root, "--json")


def listing(kind: str, file: str, root: str) -> dict[str, Any]:
    """Put a file into a zoo and list it: what the catalogue notes, its rows, the error of looking closer, if any."""
    with restored(Path(root)):
        plant(Path(root), kind, Path(file).read_bytes())
        zoo, shown = vitzoo.open(root), ""
        notes = zoo.catalogue().notes
        try:
            member = zoo.members("finetuning")[0]
            assert [member.recipe, member.status, *(checkpoint.metrics for checkpoint in member.checkpoints())]
            assert member.curve()
        except VitzooError as error:
            shown = str(error)
        return {"notes": notes, "rows": len(zoo.rows()), "shown": shown}


def command(*words: str) -> dict[str, Any]:
    """Run a command of vitzoo and return its exit code and what it printed."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = main([*words])
    return {"code": code, "out": out.getvalue(), "errors": errors.getvalue()}


@contextlib.contextmanager
def restored(root: Path) -> Iterator[None]:
    """Put back what the files of a zoo were."""
    before = {path: path.read_bytes() for path in root.rglob("*.*") if path.is_file()}
    try:
        yield
    finally:
        (root / PLACES["catalogue"]).unlink(missing_ok=True)
        for path, data in before.items():
            if not path.exists() or path.read_bytes() != data:
                path.write_bytes(data)


def look(root: str, deep: str = "") -> dict[str, Any]:
    """Verify a zoo and list it: the findings, what the catalogue notes, and its rows."""
    zoo = vitzoo.open(root)
    findings = [str(finding) for finding in check(zoo, bool(deep)).findings]
    return {"findings": findings, "notes": zoo.catalogue().notes, "rows": len(zoo.rows())}


def decode(file: str) -> str:
    """Read a stored catalogue; what comes of it as text, so that a success is seen."""
    return str(catalogue_file.decode(Path(file)))


JOBS = {"decode": decode, "read": read, "verify": verify, "listing": listing, "look": look, "command": command}

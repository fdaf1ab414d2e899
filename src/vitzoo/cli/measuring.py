"""What the commands that measure a zoo share: where data lies, progress, what was left out, and the exit code."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli.values import printable
from vitzoo.errors import IntegrityError

if TYPE_CHECKING:
    from vitzoo.measures.inference import Places
    from vitzoo.measures.measurements import Measurements
    from vitzoo.measures.selection import LeftOut

PARTIAL = 1  # exit code: done, but not for everything
SHOWN = 10  # lines about what was left out before the rest is counted

Data = Annotated[
    Path | None, typer.Option(help="Where data sets lie. Default: $VITZOO_DATA, else ./data.", show_default=False)
]
Cache = Annotated[
    Path | None,
    typer.Option(help="Where decoded data is kept. Default: $VITZOO_CACHE, else ~/.cache/vitzoo.", show_default=False),
]
Scope = Annotated[str, typer.Option(help="Weights counted: all, backbone, matrices, 'per-tensor mean' or square.")]
Device = Annotated[str | None, typer.Option(help="cpu or cuda. Default: the GPU if there is one.")]


def places(data: Path | None, cache: Path | None, download: bool = False) -> "Places":
    """Return where data sets lie, from options, the environment, or the defaults."""
    from vitzoo.measures.inference import Places

    return Places(
        (data or Path(os.environ.get("VITZOO_DATA", "data"))).resolve(),
        (cache or Path(os.environ.get("VITZOO_CACHE", Path.home() / ".cache" / "vitzoo"))).resolve(),
        download,
    )


def device_of(wish: str | None) -> str:
    """Return the device to compute on; InputError if a wished one is not there."""
    from vitzoo.growing.execution import choose

    return choose(wish, "float32", None).device


def measured(
    zoo: Path,
    data: Path | None = None,
    cache: Path | None = None,
    scope: str = "all",
    device: str | None = None,
    where: str | None = None,
) -> "Measurements":
    """Measure a zoo's finished members, with progress and all that a reader must know on stderr."""
    import vitzoo
    from vitzoo.cli.waiting import Waiting
    from vitzoo.measures import scopes
    from vitzoo.measures.collect import collect

    scopes.find(scope)
    waiting = Waiting()
    try:
        found = collect(
            vitzoo.open(zoo),
            places(data, cache),
            where=where,
            scope=scope,
            device=device_of(device),
            tell=waiting.take,
        )
    finally:
        waiting.close()
    explain(found.left_out, found.notes)
    return found


def explain(left_out: "tuple[LeftOut, ...] | list[LeftOut]", notes: "tuple[str, ...] | list[str]") -> None:
    """Print notes and what was left out on stderr."""
    for note in notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    for out in left_out[:SHOWN]:
        print(f"left out: {printable(out)}.", file=sys.stderr)
    if len(left_out) > SHOWN:
        print(f"left out: {len(left_out) - SHOWN} more; --json lists all.", file=sys.stderr)


def exit_code(found: "Measurements") -> int:
    """Return 0, 1 if something was left out, or 4 if that was because bytes are damaged."""
    return code_of(found.left_out)


def code_of(left_out: "tuple[LeftOut, ...] | list[LeftOut]") -> int:
    """Return the exit code for what was left out."""
    if any(out.damaged for out in left_out):
        return IntegrityError.exit_code
    return PARTIAL if left_out else 0

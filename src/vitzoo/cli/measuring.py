"""What the commands that measure a zoo share: where data lies, progress, what was left out, and the exit code."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitzoo.cli.values import printable
from vitzoo.errors import InputError, IntegrityError

if TYPE_CHECKING:
    from vitzoo.cli.waiting import Waiting
    from vitzoo.measures.collect import Tell
    from vitzoo.measures.inference import Places
    from vitzoo.measures.measurements import DataFrame, Measurements
    from vitzoo.measures.selection import Epochs, LeftOut
    from vitzoo.zoo import Zoo

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
Download = Annotated[bool, typer.Option(help="Download data sets that can be.")]
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


@dataclass
class Request:
    """What a user asked to be measured, and how: one way for all commands."""

    zoo: str | Path
    data: Path | None = None
    cache: Path | None = None
    scope: str = "all"
    device: str | None = None
    where: str | None = None
    download: bool = False
    _line: "Waiting | None" = field(default=None, init=False)

    @cached_property
    def opened(self) -> "Zoo":
        """The zoo."""
        import vitzoo

        zoo = vitzoo.open(self.zoo)
        zoo.files.tell = self._tell  # of a remote one, what is fetched
        return zoo

    def measurements(self, merged: bool = False) -> "Measurements":
        """Measure the last checkpoints of finished members, merged ones too if so; InputError if there are none."""
        from vitzoo.measures.collect import collect
        from vitzoo.zoo.layout import GROWN, STAGES

        with self.waiting() as tell:
            found = collect(self.opened, **self._how(), stages=STAGES if merged else GROWN, tell=tell)
        explain(found.left_out, found.notes)
        if found.members.empty:
            raise InputError(f"{self.zoo} has no finished member that could be measured. Grow it first.")
        return found

    def trajectories(self, epochs: "Epochs") -> "tuple[DataFrame, list[LeftOut]]":
        """Measure checkpoints of several epochs; InputError if there are none."""
        from vitzoo.measures.collect import trajectories

        with self.waiting() as tell:
            frame, left_out, notes = trajectories(self.opened, epochs=epochs, **self._how(), tell=tell)
        explain(left_out, notes)
        if frame.empty:
            raise InputError(f"{self.zoo} has no such checkpoint that could be measured.")
        return frame, list(left_out)

    @contextmanager
    def waiting(self) -> "Iterator[Tell]":
        """Show progress while something is done."""
        from vitzoo.cli.waiting import Waiting

        self._line = line = Waiting()
        try:
            yield line.take
        finally:
            self._line = None
            line.close()

    def _tell(self, what: str, done: int, total: int) -> None:
        if self._line is not None:
            self._line.take(what, done, total)

    def _how(self) -> dict[str, Any]:
        from vitzoo.measures import scopes

        return {
            "places": places(self.data, self.cache, self.download),
            "where": self.where,
            "scope": scopes.find(self.scope).name,
            "device": device_of(self.device),
        }


def epochs(text: str, option: str) -> "Epochs":
    """Read which epochs an option means; InputError names the option."""
    if text in ("last", "all"):
        return text
    try:
        return sorted({int(part) for part in text.split(",")})
    except ValueError:
        raise InputError(f"{option} {text!r} is neither 'last' nor 'all' nor whole numbers such as 0,5,10.") from None


def explain(left_out: "Sequence[LeftOut]", notes: Sequence[str]) -> None:
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


def code_of(left_out: "Sequence[LeftOut]") -> int:
    """Return the exit code for what was left out."""
    if any(out.damaged for out in left_out):
        return IntegrityError.exit_code
    return PARTIAL if left_out else 0

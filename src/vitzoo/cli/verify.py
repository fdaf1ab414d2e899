"""``vitzoo verify``: every byte of a zoo accounted for."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli.output import count, duration, print_json, size
from vitzoo.cli.values import printable
from vitzoo.errors import IntegrityError

if TYPE_CHECKING:
    from vitzoo.zoo import Report

PATIENCE = 2.0  # seconds before progress is shown


def verify(
    zoo: Annotated[Path, typer.Argument(help="Directory of the zoo.")],
    deep: Annotated[bool, typer.Option("--deep/--quick", help="Read and hash every byte, or look at sizes.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check that a zoo is complete, unchanged and free of anything else; exit code 4 if it is not."""
    import vitzoo
    from vitzoo.zoo import verify as check

    opened = vitzoo.open(zoo)
    progress = Progress()
    report = check(opened, deep, progress.take)
    progress.close()
    if json:
        print_json(_as_json(report))
    else:
        _print(report, opened.path)
    if not report.ok:
        raise typer.Exit(IntegrityError.exit_code)


class Progress:
    """One line on stderr with the time left, once the check has taken a while."""

    def __init__(self) -> None:
        self.begun = self.told = time.monotonic()
        self.live = sys.stderr.isatty()

    def take(self, done: int, total: int) -> None:
        """Tell how far the check is, four times a second in a terminal and twice a minute elsewhere."""
        now = time.monotonic()
        if now - self.begun < PATIENCE or now - self.told < (0.25 if self.live else 30):
            return
        self.told = now
        left = (now - self.begun) * (total - done) / done
        line = f"Checked {count(done)} of {count(total)} checkpoints, {duration(left)} left."
        print(f"\r\x1b[K{line}" if self.live else line, end="" if self.live else "\n", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the line from the terminal."""
        if self.live and self.told > self.begun:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _print(report: "Report", root: Path) -> None:
    how = "every byte was read" if report.deep else "sizes, headers and references; --deep reads every byte"
    for finding in report.findings:
        path = printable(finding.path.removeprefix(f"{root}/"))
        print(f"{path} {printable(finding.problem)}. {printable(finding.remedy)}")
    for note in report.notes:
        print(f"Note: {note}")
    amount = f"{count(report.members)} members, {count(report.checkpoints)} checkpoints, {size(report.bytes)}"
    number = len(report.findings)
    outcome = "No problem was found" if report.ok else f"{count(number)} problem{'s' if number > 1 else ''} found"
    print(f"{outcome} in {amount} ({how}).")


def _as_json(report: "Report") -> dict:
    return {
        "ok": report.ok,
        "deep": report.deep,
        "members": report.members,
        "checkpoints": report.checkpoints,
        "bytes": report.bytes,
        "notes": report.notes,
        "findings": [vars(finding) for finding in report.findings],
    }

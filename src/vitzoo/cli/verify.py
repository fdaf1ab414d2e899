"""``vitzoo verify``: every byte of a zoo accounted for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli.output import count, print_json, size
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable
from vitzoo.cli.waiting import Waiting
from vitzoo.errors import IntegrityError

if TYPE_CHECKING:
    from vitzoo.zoo import Report


def verify(
    zoo: ZooPlace,
    deep: Annotated[bool, typer.Option("--deep/--quick", help="Read and hash every byte, or look at sizes.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check that a zoo is complete, unchanged and free of anything else; exit code 4 if it is not."""
    import vitzoo
    from vitzoo.zoo import verify as check

    opened = vitzoo.open(zoo)
    waiting = Waiting()
    report = check(opened, deep, lambda done, total: waiting.take("Checking", done, total, "checkpoints"))
    waiting.close()
    if json:
        print_json(_as_json(report))
    else:
        _print(report, opened.path)
    if not report.ok:
        raise typer.Exit(IntegrityError.exit_code)


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

"""The study of averages as figures, findings and a file of numbers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vitzoo.errors import InputError
from vitzoo.measures.plain import finite
from vitzoo.merging.study.averages import Averages
from vitzoo.report.drawing import Drawn, draw_averages

if TYPE_CHECKING:
    from vitzoo.analysis.findings.finding import Finding

NUMBERS, FIGURES = "averages.json", "figures"


@dataclass(frozen=True)
class Shown:
    """Averages, the figures that were drawn of them, and the paper's claims of them, tested."""

    averages: Averages
    drawn: "tuple[Drawn, ...]"
    findings: "tuple[Finding, ...]"


def show(a: Averages, out: Path, png: bool = False) -> Shown:
    """Draw the figures into ``out/figures`` and test the claims."""
    from vitzoo.analysis.findings import averaging

    return Shown(a, tuple(draw_averages(a, out / FIGURES, png)), tuple(averaging.evaluate(a)))


def write(a: Averages, out: Path, png: bool = False) -> tuple[Shown, Path]:
    """Write the figures and all numbers into a directory, which is made if it is not there; return the file's path.

    The same averages give the same bytes. InputError if the directory cannot be written to.
    """
    path = out / NUMBERS
    try:
        shown = show(a, out, png)
        path.write_text(json.dumps(plain(shown), indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"{out} cannot be written to: {error.strerror or error}. Choose another --out.") from None
    return shown, path


def plain(shown: Shown) -> dict[str, object]:
    """Return the findings and all numbers as plain JSON data."""
    found = shown.averages.plain()
    head = {name: found.pop(name) for name in ("zoo", "last")}
    return {**head, "findings": [finite(vars(finding)) for finding in shown.findings], **found}

"""From a zoo and its Measurements to the files of a report."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from vitzoo.errors import InputError
from vitzoo.measures.measurements import Measurements
from vitzoo.report import drawing, page
from vitzoo.report.averages import Shown, show
from vitzoo.report.drawing import Drawn
from vitzoo.report.facts import facts
from vitzoo.report.sections import about, averages, findings, left_out, summary, tables
from vitzoo.report.sections import figures as pictures
from vitzoo.zoo import Zoo, query

if TYPE_CHECKING:
    from vitzoo.analysis.findings.finding import Finding

INDEX, FIGURES = "index.html", "figures"
Tell = Callable[[str, int, int], None]  # (what is being done, done, total)


@dataclass(frozen=True)
class Report:
    """What was written: the page, the figures, and the findings that are in it."""

    index: Path
    figures: tuple[Drawn, ...]
    findings: "tuple[Finding, ...]"


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def write(
    zoo: Zoo,
    m: Measurements,
    out: Path,
    *,
    day: date,
    refine: str | None = None,
    png: bool = False,
    tell: Tell = silent,
) -> Report:
    """Write ``index.html`` and ``figures/*.svg`` (and ``*.png``) into a directory, which is made if it is not there.

    Averages are shown as far as they are cached (``vitzoo merge study``).
    ``m`` are the zoo's Measurements, ``day`` the day that the page states, ``refine`` an expression such as
    ``"test_acc > 0.65"`` by which some tables and all findings are shown refined, too. The same input gives the same
    bytes.
    InputError if the zoo has no finished fine-tuned member, or if ``out`` is within the zoo or cannot be written to.

    >>> import vitzoo
    >>> write(vitzoo.open("zoos/nano"), m, Path("reports/nano"), day=date.today())  # doctest: +SKIP
    """
    import vitzoo
    from vitzoo.analysis.findings import evaluate
    from vitzoo.analysis.tables import build

    check_outside(zoo, out)
    built, found = build(m, refine), tuple(evaluate(m))
    again = evaluate(m.refine(refine)) if refine is not None else ()
    drawn = _draw(zoo, m, out / FIGURES, png, tell)
    study = _study(zoo, out, png)
    said = facts(zoo)
    sections = [
        about.about(said, m, vitzoo.__version__, day),
        findings.findings(found, again, refine or ""),
        tables.tables(built),
        pictures.figures(drawn),
        averages.averages(study),
        left_out.left_out(m, said.notes),
    ]
    if study is not None:
        drawn, found = [*drawn, *study.drawn], (*found, *study.findings)
    text = page.page(zoo.name, summary.summary(said, m, found), sections, vitzoo.__version__)
    _write(out / INDEX, text)
    return Report(out / INDEX, tuple(drawn), found)


def check_outside(zoo: Zoo, out: Path) -> None:
    """Refuse a directory within the zoo, which holds nothing but what its format names."""
    if out.resolve().is_relative_to(zoo.path.resolve()):
        raise InputError(
            f"The report cannot be written to {out}, because that is within the zoo. Choose another --out."
        )


def _draw(zoo: Zoo, m: Measurements, out: Path, png: bool, tell: Tell) -> list[Drawn]:
    # Not ``zoo.table()``, which warns of what is unreadable: here that is part of the page.
    table = query.frame(zoo.catalogue(), "stage <> 'merging'")
    total, drawn = len(drawing.ORDER), []
    try:
        for one in drawing.draw_all(table, m, out, png):
            drawn.append(one)
            tell("Drawing", len(drawn), total)
    except OSError as error:
        raise _unwritable(out, error) from None
    return drawn


def _study(zoo: Zoo, out: Path, png: bool) -> Shown | None:
    """Show the averages of the zoo if they have been made."""
    from vitzoo.merging.study.run import stored

    found = stored(zoo)
    try:
        return None if found is None else show(found, out, png)
    except OSError as error:
        raise _unwritable(out, error) from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be written: {error.strerror or error}. Choose another --out.")

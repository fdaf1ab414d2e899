"""``vitzoo findings``: the paper's claims, tested on a zoo."""

from typing import TYPE_CHECKING, Annotated

import typer

from vitzoo.cli import measuring
from vitzoo.cli.output import print_json
from vitzoo.cli.places import ZooPlace
from vitzoo.cli.values import printable

if TYPE_CHECKING:
    from vitzoo.analysis.findings import Finding

MARKS = {"holds": "✓", "does not hold": "✗", "cannot be tested": "·"}


def findings(
    zoo: ZooPlace,
    refine: Annotated[
        str | None,
        typer.Option(metavar="SQL", help='Fine-tuned members that count; the paper: "test_acc > 0.65". Default: all.'),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    scope: measuring.Scope = "all",
    data: measuring.Data = None,
    cache: measuring.Cache = None,
    download: measuring.Download = False,
    device: measuring.Device = None,
    json: Annotated[bool, typer.Option("--json", help="Print every number and reason as JSON.")] = False,
) -> None:
    """Test the paper's qualitative findings on a zoo, each with effect, 95 % interval over backbones, and verdict.

    "Does not hold" says that this zoo does not show it. Exit code 1 if something was left out, 4 if because of damage.
    """
    from vitzoo.analysis.findings import evaluate, short
    from vitzoo.analysis.tables.render import to_markdown
    from vitzoo.measures.plain import finite

    found = measuring.Request(zoo, data, cache, scope, device, download=download).measurements()
    tested = evaluate(found.refine(refine) if refine else found)
    if json:
        rows = [finite(vars(finding)) for finding in tested]
        left_out = [vars(out) for out in found.left_out]
        print_json({"zoo": found.zoo, "refine": refine, "findings": rows, "left_out": left_out})
    elif markdown:
        print(to_markdown(short(tested)), end="")
    else:
        _print(tested)
    if code := measuring.exit_code(found):
        raise typer.Exit(code)


def _print(tested: "list[Finding]") -> None:
    from vitzoo.analysis.findings import HOLDS
    from vitzoo.analysis.findings.criteria import number

    for one in tested:
        print(f"{MARKS[one.verdict]} {one.verdict}: {printable(one.statement)}")
        if one.value == one.value:
            print(f"    {printable(one.effect)}: {number(one.value)} [{number(one.low)}, {number(one.high)}]")
        print(f"    {printable(one.why)}")
    held = sum(one.verdict == HOLDS for one in tested)
    print(f"{held} of {len(tested)} findings hold. Intervals are 95 %, over backbones.")

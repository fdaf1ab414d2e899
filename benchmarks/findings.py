"""The paper's findings on several zoos beside each other, as Markdown.

Usage: python benchmarks/findings.py ZOO ZOO … [--data DIR]
"""

import argparse
from pathlib import Path

from vitzoo.analysis.findings import Finding, evaluate
from vitzoo.analysis.findings.criteria import number
from vitzoo.cli.measuring import Request

MARKS = {"holds": "✓", "does not hold": "✗", "cannot be tested": "·"}


def cell(found: Finding) -> str:
    """Write verdict, effect and interval; of a claim that is not shown, whether the interval refutes it."""
    if found.value != found.value:
        return MARKS[found.verdict]
    refuted = ", refuted" if "refutes it" in found.why else ""
    return f"{MARKS[found.verdict]} {number(found.value)} [{number(found.low)}, {number(found.high)}]{refuted}"


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoos", type=Path, nargs="+")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    zoos = [Request(zoo, arguments.data).measurements() for zoo in arguments.zoos]
    columns = [evaluate(m) for m in zoos]
    held = [f"{m.zoo}: {sum(f.verdict == 'holds' for f in c)} of {len(c)}" for m, c in zip(zoos, columns, strict=True)]
    print(f"Hold: {'; '.join(held)}.\n")
    print("| finding | effect | " + " | ".join(m.zoo for m in zoos) + " |")
    print("|---|---|" + "---|" * len(zoos))
    for same in zip(*columns, strict=True):
        texts = [same[0].statement, same[0].effect, *(cell(found) for found in same)]
        print("| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |")


if __name__ == "__main__":
    main()

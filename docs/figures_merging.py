"""Draw what `vitzoo merge benchmark --json` and `vitzoo merge across --json` found.

python docs/figures_merging.py benchmarks/results/merging/merging-cifar.json [--out docs/figures/merging.svg]

Beside the benchmark's file lie those of the line between two models, NAME-line-METHOD.json.
"""

import argparse
import json
from pathlib import Path

from vitzoo.analysis.figures import save
from vitzoo.analysis.figures.merging import draw

SETS = ("two supervised", "all 7 supervised", "all of both")


def main() -> None:
    """Read the numbers and draw them."""
    parser = argparse.ArgumentParser(description="Draw what alignments keep.")
    parser.add_argument("file", type=Path, help="what vitzoo merge benchmark --json printed")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "figures" / "merging.svg")
    arguments = parser.parse_args()
    found = json.loads(arguments.file.read_text())
    lines = sorted(arguments.file.parent.glob(f"{arguments.file.stem}-line-*.json"))
    paths = {one.stem.partition("-line-")[2]: json.loads(one.read_text())["between"] for one in lines}
    title = f"{found['zoo']}: merging models that were pre-trained apart"
    save(draw(title, found["summary"], SETS, paths), arguments.out)


if __name__ == "__main__":
    main()

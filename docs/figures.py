"""Draw the README's figures of a zoo and print its table of factors; with --measured, also of its measurements.

python docs/figures.py ZOO [--out docs/figures] [--measured]
"""

import argparse
import os
import sys
from pathlib import Path

import vitzoo
from vitzoo.analysis.factors import by_factor, to_markdown
from vitzoo.analysis.figures import MEASURED, save, write
from vitzoo.errors import VitzooError
from vitzoo.measures.collect import collect
from vitzoo.measures.inference import Places


def main() -> None:
    """Read the arguments, write the figures and print the table."""
    parser = argparse.ArgumentParser(description="Draw a zoo's figures and print its table of factors as Markdown.")
    parser.add_argument("zoo", type=Path, help="directory of the zoo")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "figures", help="directory of the figures")
    parser.add_argument("--measured", action="store_true", help="measure the zoo and draw distances and the map, too")
    arguments = parser.parse_args()
    try:
        report(arguments.zoo, arguments.out)
        if arguments.measured:
            measured(arguments.zoo, arguments.out)
    except VitzooError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def report(path: Path, out: Path) -> None:
    """Write the figures of the zoo at a path and print its table."""
    zoo = vitzoo.open(path)
    table = zoo.table()
    stats = by_factor(table)
    write(table, zoo.name, out)
    n = int(stats["n"].iloc[-1])
    left_out = len(zoo.members("finetuning")) - n
    more = f" ({left_out:,} more are not finished and left out)" if left_out else ""
    print(f"`{zoo.name}`: test accuracy by generating factor, n = {n:,} fine-tuned members{more}.\n")
    print(to_markdown(stats), end="")


def measured(path: Path, out: Path) -> None:
    """Measure the zoo at a path and draw what the README shows of that: the map as PNG, because it has many points."""
    cache = Path(os.environ.get("VITZOO_CACHE", Path.home() / ".cache" / "vitzoo"))
    found = collect(vitzoo.open(path), Places(Path("data"), cache))
    save(MEASURED["distances"](found), out / "distances.svg")
    save(MEASURED["map"](found), out / "map.png")


if __name__ == "__main__":
    main()

"""Draw a family of a zoo as it is and as recovered by our method and by MoTHer.

python docs/figures_lineage.py ZOO [--set optimizer] [--family 0] [--out docs/figures/lineage.svg]
"""

import argparse
from pathlib import Path

import numpy as np

import vitzoo
from vitzoo.analysis.figures import save, trees
from vitzoo.lineage.benchmark import models_of
from vitzoo.lineage.case import Case
from vitzoo.lineage.recover import METHODS, recover
from vitzoo.lineage.sets import sample


def main() -> None:
    """Recover a whole set and draw one of its trees."""
    parser = argparse.ArgumentParser(description="Draw a recovered tree beside the true one.")
    parser.add_argument("zoo", type=Path, help="directory of the zoo")
    parser.add_argument("--set", default="lr", help="which set of vitzoo lineage benchmark")
    parser.add_argument("--family", type=int, default=0, help="which family of it")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "figures" / "lineage.svg")
    arguments = parser.parse_args()
    zoo = vitzoo.open(arguments.zoo)
    drawn = sample(zoo, arguments.set)
    case = Case(models_of(zoo, drawn), drawn.trees)
    which = np.flatnonzero(drawn.truth.tree == arguments.family)
    which = sorted(which, key=lambda i: (drawn.rows[i]["stage"] != "pretraining", *_key(drawn.rows[i])))
    place = {int(i): at for at, i in enumerate(which)}
    inside = lambda parents: [place.get(int(parents[i]), -1) for i in which]  # noqa: E731
    found = {METHODS[name].title: inside(recover(case, name)) for name in ("spider", "mother")}
    runs = [_run(drawn.rows[i]) for i in which]
    title = f"One of {drawn.trees} families of {zoo.name}, set “{drawn.name}”"
    save(trees.draw(title, inside(drawn.truth.trajectory), found, runs), arguments.out)


def _key(row) -> tuple[str, int]:
    return row["member"], row["epoch"]


def _run(row) -> str:
    if row["stage"] == "pretraining":
        return "pre-trained"
    return f"{row['optimizer']}, lr {row['lr']:g}, {row['head']} head, seed {row['seed']}"


if __name__ == "__main__":
    main()

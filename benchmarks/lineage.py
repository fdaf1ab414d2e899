"""Lineage on several zoos: every method on every set, and MoTHer part by part; the tables of docs/lineage.md.

Usage: python benchmarks/lineage.py ZOO [ZOO ...] [--draws 5] [--out FILE.json]
       python benchmarks/lineage.py --table FILE.json

Epochs are spread evenly over a training, and drawn at random, the latter and whatever else is drawn `--draws` times.
MoTHer as in Appendix B leaves λ, the layers and the sign of kurtosis open, and asks for clusters: all combinations are
run, with the true clusters, too.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import vitzoo
from vitzoo.lineage.benchmark import STAR, models_of
from vitzoo.lineage.case import Case
from vitzoo.lineage.methods import mother, trivial
from vitzoo.lineage.methods.mother import directed, each
from vitzoo.lineage.recover import BLIND, METHODS, recover
from vitzoo.lineage.scores import score
from vitzoo.lineage.sets import DRAWN, FACTORS, SETS, SPREAD, Sample, sample

SHARES = (0.0, 0.1, 0.3, 0.4, 1.0)
LAYERS = ("backbone", "matrices", "square")
PAPER = {"epochs": 98, "seed": 11, "lr": 10, "head": 9, "optimizer": 0}  # edges right of 120 in Table 3


def scores(drawn: Sample, found: np.ndarray) -> dict[str, Any]:
    """Score parents under both conventions."""
    truth = drawn.truth
    both = {"T": truth.trajectory, "S": truth.star}
    kept = ("accuracy", "f1", "undirected", "roots", "ari")
    every = {name: score(found, parents, truth.tree).plain() for name, parents in both.items()}
    return {name: {key: values[key] for key in kept} for name, values in every.items()}


def lines_of(zoo: Path, draws: int) -> list[dict[str, Any]]:
    """Run all methods on all sets of a zoo."""
    opened, lines = vitzoo.open(zoo), []
    for name, epochs in itertools.product(SETS, (SPREAD, DRAWN)):
        for seed in range(draws if epochs == DRAWN else 1):
            if epochs == SPREAD and name in ("mixed", "missing"):
                continue  # they are drawn anyway
            print(f"{zoo.name}: {name}, {epochs}, {seed}", file=sys.stderr)
            drawn = sample(opened, name, epochs, seed=seed)
            case = Case(models_of(opened, drawn), drawn.trees)
            common = {"zoo": zoo.name, "set": name, "epochs": epochs, "seed": seed, "models": len(drawn.rows)}
            for method in BLIND:
                lines.append({**common, "method": method, **scores(drawn, recover(case, method))})
            lines.append({**common, "method": STAR, **scores(drawn, trivial.known_star(drawn.truth))})
            if epochs == SPREAD and name in FACTORS:
                lines += [{**common, **line} for line in parts_of_mother(drawn, case)]
    return lines


def parts_of_mother(drawn: Sample, case: Case) -> list[dict[str, Any]]:
    """Run Appendix B with every λ, every choice of layers, both signs, and found and true clusters."""
    lines, evidence = [], case.evidence
    for layers, clusters in itertools.product(LAYERS, ("k-means", "true")):
        chosen = evidence.within(layers)
        squared = evidence.squared[chosen].sum(axis=0)
        number = mother.clustered(squared, drawn.trees) if clusters == "k-means" else drawn.truth.tree
        kurtosis = evidence.kurtosis(chosen).mean(axis=0)
        for share, rising in itertools.product(SHARES, (True, False)):

            def tree(which: np.ndarray, d=np.sqrt(squared), k=kurtosis, share=share, rising=rising) -> np.ndarray:
                inside = d[np.ix_(which, which)]
                return directed(inside, k[which], share * inside.sum() / max(inside.size - len(inside), 1), rising)

            how = {"layers": layers, "clusters": clusters, "share": share, "rising": rising}
            lines.append({"method": "mother, parts", **how, **scores(drawn, each(number, tree))})
    return lines


def table(lines: Sequence[dict[str, Any]]) -> None:
    """Print the tables as Markdown."""
    zoos = list(dict.fromkeys(line["zoo"] for line in lines))
    for epochs in (SPREAD, DRAWN):
        own = [line for line in lines if line["epochs"] == epochs and "share" not in line]
        sets = [name for name in SETS if any(line["set"] == name for line in own)]
        print(f"\n### Epochs {epochs}: F1 under T (last: under S), mean over {', '.join(zoos)}\n")
        print(f"| method | {' | '.join(sets)} | roots, five sets |\n|---|{'---:|' * (len(sets) + 1)}")
        for method in dict.fromkeys(line["method"] for line in own):
            cells = [
                cell([f1(line) for line in own if (line["method"], line["set"]) == (method, name)]) for name in sets
            ]
            roots = [line["T"]["roots"] for line in own if line["method"] == method and line["set"] in FACTORS]
            print(f"| {METHODS[method].title if method in METHODS else method} | {' | '.join(cells)} | {cell(roots)} |")
    ours(lines, zoos)
    parts(lines, zoos)


def ours(lines: Sequence[dict[str, Any]], zoos: Sequence[str]) -> None:
    """Print our line for every zoo."""
    print("\n### vitzoo, zoo by zoo: F1 under T, roots, and F1 under S\n")
    print(
        "| zoo | epochs | set | F1, T | roots | ARI | F1, S | undirected, T |\n|---|---|---|---:|---:|---:|---:|---:|"
    )
    for zoo, epochs, name in itertools.product(zoos, (SPREAD, DRAWN), SETS):
        own = [
            line
            for line in lines
            if (line["zoo"], line["epochs"], line["set"], line["method"]) == (zoo, epochs, name, "spider")
        ]
        if own:
            keys = (("T", "f1"), ("T", "roots"), ("T", "ari"), ("S", "f1"), ("T", "undirected"))
            print(f"| {zoo} | {epochs} | {name} | {' | '.join(cell([o[a][b] for o in own]) for a, b in keys)} |")


def parts(lines: Sequence[dict[str, Any]], zoos: Sequence[str]) -> None:
    """Print which of MoTHer's open choices come nearest to the paper's five numbers, and which are best."""
    print("\n### MoTHer, Appendix B: F1 of the five sets under T and under S, mean over zoos\n")
    print("| layers | clusters | λ | κ | truth | epochs | seed | lr | head | optimizer | distance from the paper |")
    print("|---|---|---:|---|---|---:|---:|---:|---:|---:|---:|")
    own = [line for line in lines if "share" in line]
    found = []
    for how in dict.fromkeys((li["layers"], li["clusters"], li["share"], li["rising"]) for li in own):
        same = [li for li in own if (li["layers"], li["clusters"], li["share"], li["rising"]) == how]
        for truths in (("T",) * 5, ("S",) * 5, ("T", "S", "S", "S", "S")):
            row = [np.mean([li[t]["f1"] for li in same if li["set"] == n]) for n, t in zip(PAPER, truths, strict=True)]
            gap = float(np.sqrt(np.mean([(a - b / 120) ** 2 for a, b in zip(row, PAPER.values(), strict=True)])))
            found.append((gap, how, "T, then S" if len(set(truths)) > 1 else truths[0], row))
    best = max(found, key=lambda one: (one[2] == "T", np.mean(one[3])))
    for gap, (layers, clusters, share, rising), truth, row in [*sorted(found)[:6], best]:
        cells = " | ".join(f"{value:.2f}" for value in row)
        print(f"| {layers} | {clusters} | {share} | {'rises' if rising else 'falls'} | {truth} | {cells} | {gap:.2f} |")
    print(f"| the paper | | | | | {' | '.join(f'{right / 120:.2f}' for right in PAPER.values())} | 0 |")
    print(f"\nn = {len(zoos)} zoos, {len(found) // 3} combinations; the last line but one is the best under T.")


def f1(line: dict[str, Any]) -> float:
    """Return the F1 that counts for a set."""
    return line["S" if line["set"] == "last" else "T"]["f1"]


def cell(values: Sequence[float]) -> str:
    """Write a mean, with the range where there is one."""
    if not values:
        return ""
    low, high = min(values), max(values)
    return f"{np.mean(values):.3f}" + (f" ({low:.2f}–{high:.2f})" if high - low > 0.005 else "")


def main() -> None:
    """Run or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoos", nargs="*", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", type=Path)
    arguments = parser.parse_args()
    if arguments.table:
        table(json.loads(arguments.table.read_text()))
        return
    lines = [line for zoo in arguments.zoos for line in lines_of(zoo, arguments.draws)]
    if arguments.out:
        arguments.out.write_text("[\n" + ",\n".join(json.dumps(rounded(line)) for line in lines) + "\n]\n")
    table(lines)


def rounded(value: Any) -> Any:
    """Round numbers to four digits after the point."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()

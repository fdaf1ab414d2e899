"""Fit the weights of our lineage method on one zoo, and say how often each of its two decisions is right there.

Usage: python benchmarks/lineage_fit.py ZOO [ZOO ...]     the first is fitted on, all are scored

Where training began is a softmax regression over the models of a tree, whether one continues its candidate a logistic
regression, with sets and both answers weighted alike. The cues are those of `vitzoo.lineage.methods`; the numbers that
this prints are written there by hand. Trees are those of the paper's sets and of two harder ones, and parts of them.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

import vitzoo
from vitzoo.lineage.benchmark import models_of
from vitzoo.lineage.case import Case
from vitzoo.lineage.methods.branching import features, nearest_inside
from vitzoo.lineage.methods.rooting import cues, leans
from vitzoo.lineage.sets import EPOCHS, sample
from vitzoo.lineage.truth import NONE

SETS = ("epochs", "seed", "lr", "head", "optimizer", "mixed", "last")
SEEDS = range(3)


@dataclass
class Tree:
    """A true tree with its root present: squared distances of matrices [L, n, n], leans, norms, parents."""

    group: str
    parts: np.ndarray
    lean: np.ndarray
    norms: np.ndarray
    size: int
    parents: np.ndarray

    @property
    def root(self) -> int:
        """Index of the root."""
        return int(np.flatnonzero(self.parents == NONE)[0])

    def part(self, rng: np.random.Generator) -> "Tree":
        """Return a random part that keeps the root; its parents say no more than that."""
        others = np.delete(np.arange(len(self.norms)), self.root)
        count = int(rng.integers(2, min(len(others), 12) + 1)) if len(others) > 2 else len(others)
        which = np.append(rng.choice(others, count, replace=False), self.root)
        square = np.ix_(which, which)
        return Tree(
            self.group + ", parts",
            self.parts[:, *square],
            self.lean[square],
            self.norms[which],
            self.size,
            np.where(which == self.root, NONE, len(others)),
        )


def trees(path: Path) -> Iterator[Tree]:
    """Yield the true trees of a zoo's sets."""
    zoo = vitzoo.open(path)
    for name in SETS:
        for epochs in EPOCHS:
            for seed in SEEDS if epochs == "drawn" or name == "mixed" else [0]:
                drawn = sample(zoo, name, epochs, seed=seed)
                evidence = Case(models_of(zoo, drawn), drawn.trees).evidence
                parts, norms = evidence.squared[evidence.within("matrices")], evidence.norms()
                lean = leans(evidence.total, norms)
                size = sum(p.size for p, yes in zip(evidence.parts, evidence.within("matrices"), strict=True) if yes)
                for k in np.unique(drawn.truth.tree):
                    which = np.flatnonzero(drawn.truth.tree == k)
                    place = {int(i): at for at, i in enumerate(which)}
                    parents = [place.get(int(p), NONE) for p in drawn.truth.trajectory[which]]
                    square = np.ix_(which, which)
                    yield Tree(
                        f"{name} {epochs}", parts[:, *square], lean[square], norms[which], size, np.array(parents)
                    )


def fit_roots(found: list[tuple[np.ndarray, int]]) -> np.ndarray:
    """Return the weights of a softmax regression; ``found`` has each tree's cues [n, 3] and its root."""

    def loss(weights: np.ndarray) -> float:
        scores = [(cues_ @ weights, root) for cues_, root in found]
        return float(np.mean([np.logaddexp.reduce(s) - s[root] for s, root in scores]) + 1e-4 * weights @ weights)

    return minimize(loss, np.ones(3)).x


def decisions(tree: Tree) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers [m, 3] and answers [m] for the models whose parent is their candidate or the root."""
    candidate = nearest_inside(tree.parts.sum(axis=0), tree.root)
    numbers = features(tree.parts, tree.root, candidate)
    asked = (candidate != NONE) & ((tree.parents == candidate) | (tree.parents == tree.root))
    return numbers[asked], (tree.parents == candidate)[asked]


def weights_of(groups: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Weight groups alike, then answers alike."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    weights = 1 / counts[inverse]
    for answer in (True, False):
        weights[answers == answer] /= weights[answers == answer].sum()
    return weights * len(groups)


def main() -> None:
    """Fit on the first zoo, score on all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoos", nargs="+", type=Path)
    zoos = parser.parse_args().zoos
    roots, branches = None, None
    for path in zoos:
        rng = np.random.default_rng(0)
        whole = list(trees(path))
        rooted = whole + [tree.part(rng) for tree in whole]
        found = [
            (np.array([cues(t.parts.sum(axis=0), t.lean, t.norms, t.size, c) for c in range(len(t.norms))]), t.root)
            for t in rooted
        ]
        asked = [decisions(tree) for tree in whole]
        groups = np.concatenate([[tree.group] * len(a) for tree, (_, a) in zip(whole, asked, strict=True)])
        numbers, answers = (np.concatenate(x) for x in zip(*asked, strict=True))
        if roots is None or branches is None:
            roots = fit_roots(found)
            branches = LogisticRegression(C=3).fit(numbers, answers, sample_weight=weights_of(groups, answers))
            print("acute, leaning, near:", roots.round(1))
            print("uneven, lacking, longer, bias:", branches.coef_[0].round(2), branches.intercept_.round(2))
        right = np.array([int((c @ roots).argmax()) == root for c, root in found])
        kinds = np.array([tree.group for tree in rooted])
        print(f"\n{path.name}: roots right, %, and continuations right, %")
        for group in dict.fromkeys(kinds):
            own = groups == group
            share = f"{100 * (branches.predict(numbers[own]) == answers[own]).mean():.1f}" if own.any() else ""
            print(f"  {group:26s} {100 * right[kinds == group].mean():6.1f} {share:>6s}")


if __name__ == "__main__":
    main()

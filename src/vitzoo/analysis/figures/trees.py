"""A tree of models as it is and as methods recover it: edges that are right grey, wrong ones red and dashed."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitzoo.analysis.figures.style import GREY, INK, MARKERS, SMALL, TEXT, TITLE, WIDTH, applied, shades

WRONG = "#c1272d"
HEIGHT = 0.3  # inches for a leaf
SIZE = 34  # of a model, in square points


def draw(title: str, truth: Sequence[int], found: Mapping[str, Sequence[int]], runs: Sequence[str]) -> Figure:
    """Draw the true tree and each recovered one beside it.

    ``truth`` [n] and each of ``found`` [n] hold the index of every model's parent, -1 for none; ``runs`` [n] says which
    training a model is of, which its colour and shape show.
    """
    panels = {"as it is": truth, **found}
    places = {name: layout(parents) for name, parents in panels.items()}
    rows = max(float(place[:, 1].max()) for place in places.values()) + 1
    with applied():
        figure = Figure(figsize=(WIDTH, 1.3 + HEIGHT * rows), layout="constrained")
        figure.suptitle(title, size=TITLE)
        for axes, (name, parents) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            _panel(axes, name, np.asarray(parents), np.asarray(truth), places[name], runs)
            axes.set_ylim(rows - 0.3, -0.7)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=SMALL)
        return figure


def layout(parents: Sequence[int]) -> np.ndarray:
    """Return places [n, 2]: how many steps from the root, and a row; a parent is in the middle of its children.

    >>> layout([-1, 0, 0]).tolist()
    [[0.0, 0.5], [1.0, 0.0], [1.0, 1.0]]
    """
    children: dict[int, list[int]] = {}
    for child, parent in enumerate(parents):
        children.setdefault(parent, []).append(child)
    places = np.zeros((len(parents), 2))
    rows = 0
    waiting = [(root, 0, False) for root in reversed(children.get(-1, []))]
    while waiting:
        node, depth, entered = waiting.pop()
        own = children.get(node, [])
        if own and not entered:
            waiting.append((node, depth, True))
            waiting += [(child, depth + 1, False) for child in reversed(own)]
            continue
        if own:
            places[node] = depth, np.mean([places[child, 1] for child in own])
        else:
            places[node] = depth, rows
            rows += 1
    return places


def _panel(
    axes: Axes, name: str, parents: np.ndarray, truth: np.ndarray, places: np.ndarray, runs: Sequence[str]
) -> None:
    """Draw one tree."""
    right = int(((parents == truth) & (truth >= 0)).sum())
    count = int((truth >= 0).sum())
    axes.set_title(f"{name}\n{right} of {count} edges", size=TEXT)
    for child, parent in enumerate(parents):
        if parent >= 0:
            good = truth[child] == parent
            axes.plot(
                *places[[parent, child]].T, color=GREY if good else WRONG, ls="-" if good else "--", lw=1, zorder=1
            )
    kinds = list(dict.fromkeys(sorted(runs)))
    for kind, colour, marker in zip(kinds, shades(len(kinds)), _markers(len(kinds)), strict=True):
        own = np.array([run == kind for run in runs])
        axes.scatter(*places[own].T, s=SIZE, color=colour, marker=marker, label=kind, zorder=2, linewidths=0)
    root = np.flatnonzero(truth < 0)
    axes.scatter(*places[root].T, s=4 * SIZE, facecolors="none", edgecolors=INK, linewidths=0.8, zorder=2)
    axes.set_axis_off()
    axes.margins(x=0.15)


def _markers(count: int) -> list[str]:
    return [MARKERS[i % len(MARKERS)] for i in range(count)]

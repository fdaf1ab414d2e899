"""The map of weight space: every member a point, near those with similar weights; once by PCA, once by t-SNE.

Reference: the zoo's paper, Section 3.2, on the modes that pre-training and fine-tuning make in weight space.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from vitzoo.analysis.figures import lineage, style
from vitzoo.analysis.figures.embedding import Scores, classical_scaling, neighbours
from vitzoo.analysis.levels import DataFrame, Factor, levels, text, varying
from vitzoo.measures.measurements import Measurements

SHOWN = ("parent_task", "optimizer", "lr", "head", "batch_size", "weight_decay")  # the first three that vary
COLUMNS = 3
PANEL, GAP, TOP, BOTTOM, LEFT, RIGHT = 2.7, 0.62, 1.0, 0.5, 0.62, 0.12  # inches
LINES, NUMBERS = 600, 24  # members up to which lines lead to parents; backbones up to which they are numbered
KEYS, KEY_LINE = 3, 0.17  # names of numbered backbones in a line below the panels; its height in inches
NEAR = 0.05  # of an axis: numbers that are nearer to each other are written as one list
MANY = 800  # members from which points become pixels, so that the file stays small


def draw(m: Measurements) -> Figure:
    """Return the figure: a column per factor, PCA above and t-SNE below; backbones are diamonds with a number.

    Shown are the members of the most frequent shape. InputError if no distance is known.
    """
    found = classical_scaling(m.distances)
    rows = lineage.ordered(m)
    rows = rows[rows.index.isin(found.index)]
    maps = _maps(found, rows)
    chosen = _factors(rows)
    with style.applied():
        figure, panels = _panels(len(maps), max(1, len(chosen)), _names(rows))
        for (kind, points), line in zip(maps.items(), panels, strict=True):
            for axes, factor in zip(line, chosen or [None], strict=True):
                _draw_panel(axes, rows, points, factor)
                _label(axes, kind, found)
        for axes, factor in zip(panels[0], chosen, strict=False):
            _legend(axes, rows, factor)
        _titles(figure, m, rows)
    return figure


def _maps(found: Scores, rows: DataFrame) -> dict[str, np.ndarray]:
    """Return the points of each map in the order of the rows."""
    place = {member: i for i, member in enumerate(found.index)}
    order = np.array([place[member] for member in rows.index])
    family = float(rows.groupby("parent_member").size().median())
    maps = {"PCA": _two(found.scores), "t-SNE": neighbours(found.scores, family)}
    return {kind: points[order] for kind, points in maps.items() if points is not None}


def _names(rows: DataFrame) -> list[str]:
    """Return what the numbers of the backbones mean, if they are numbered."""
    names = [f"{i} {name}" for i, name in enumerate(rows[~rows["child"]]["backbone"], 1)]
    return names if len(names) <= NUMBERS else []


def _two(scores: np.ndarray) -> np.ndarray:
    """Return the first two axes; one that does not exist has no extent."""
    return np.pad(scores[:, :2], ((0, 0), (0, max(0, 2 - scores.shape[1]))))


def _factors(rows: DataFrame) -> list[Factor]:
    children = rows[rows["child"]]
    vary = {factor.column: factor for factor in varying(children)}
    return [vary[name] for name in SHOWN if name in vary][:COLUMNS]


def _panels(down: int, across: int, names: list[str]) -> tuple[Figure, Any]:
    """Return the panels, with the names of the backbones below them."""
    lines = -(-len(names) // KEYS)
    bottom = BOTTOM + KEY_LINE * (lines + 0.5 * bool(lines))
    height = TOP + down * PANEL + (down - 1) * GAP + bottom
    figure = style.new_figure(height)
    panels = figure.subplots(down, across, sharex="row", sharey="row", squeeze=False)
    sides = {"left": LEFT / style.WIDTH, "right": 1 - RIGHT / style.WIDTH}
    figure.subplots_adjust(**sides, top=1 - TOP / height, bottom=bottom / height, wspace=0.06, hspace=GAP / PANEL)
    for i, name in enumerate(names):
        x = (LEFT + i // lines * (style.WIDTH - LEFT - RIGHT) / KEYS) / style.WIDTH
        figure.text(x, KEY_LINE * (lines - i % lines) / height, name, size=style.SMALL, va="top")
    return figure, panels


def _draw_panel(axes: Axes, rows: DataFrame, points: np.ndarray, factor: Factor | None) -> None:
    """Draw lines from parents to children, the children by the levels of a factor, and the parents on top."""
    children = rows["child"].to_numpy()
    if len(rows) <= LINES:
        axes.plot(*_edges(rows, points), color=style.FAINT, linewidth=0.4, zorder=1)
    found = levels(rows[children], factor.column) if factor else [None]
    for i, level in enumerate(found):
        belongs = children & ((rows[factor.column] == level).to_numpy() if factor else True)
        axes.plot(*points[belongs].T, rasterized=len(rows) > MANY, **_look(i, len(found)))
    own = {"linestyle": "", "marker": "D", "color": "none", "markeredgecolor": style.INK, "markeredgewidth": 0.8}
    axes.plot(*points[~children].T, markersize=5.5, **own)
    if _names(rows):
        _number(axes, points[~children])


def _legend(axes: Axes, rows: DataFrame, factor: Factor) -> None:
    """Write the levels of a column's factor above its upper panel, in rows of four."""
    found = levels(rows[rows["child"]], factor.column)
    handles = [Line2D([], [], label=text(level), **_look(i, len(found))) for i, level in enumerate(found)]
    looks: dict[str, Any] = {"fontsize": style.SMALL, "title_fontsize": style.SMALL, "alignment": "left"}
    looks |= {"handletextpad": 0.1, "columnspacing": 1.0, "borderpad": 0.2, "borderaxespad": 0.2, "frameon": False}
    axes.legend(
        handles=handles, title=factor.label, ncols=min(4, len(found)), loc="lower left", bbox_to_anchor=(0, 1), **looks
    )


def _number(axes: Axes, points: np.ndarray) -> None:
    """Number the backbones; those that are too near to each other share a list of numbers."""
    axes.margins(0.12)  # room for the numbers of the outermost
    spans = np.array([np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())])
    lists: list[list[int]] = []
    for i, point in enumerate(points):
        near = [found for found in lists if (np.abs(points[found[0]] - point) < NEAR * spans).all()]
        if near:
            near[0].append(i)
        else:
            lists.append([i])
    halo = [withStroke(linewidth=1.6, foreground="white")]
    for found in lists:
        (x, y), words = points[found].max(0), ", ".join(str(i + 1) for i in found)
        left = x > np.mean(axes.get_xlim())  # inwards, so that a long list stays in the panel
        place: dict[str, Any] = {"xytext": (-4 if left else 4, 4), "ha": "right" if left else "left"}
        place |= {"textcoords": "offset points", "size": style.SMALL, "weight": "bold", "zorder": 5}
        axes.annotate(words, (x, y), path_effects=halo, **place)


def _edges(rows: DataFrame, points: np.ndarray) -> np.ndarray:
    """Return the lines from each parent that is shown to its children as one broken line [2, 3 × children]."""
    place = dict(zip(rows["member"], range(len(rows)), strict=True))
    ends = [
        (place[parent], i) for i, parent in enumerate(rows["parent_member"]) if parent in place and place[parent] != i
    ]
    nothing = np.full(2, np.nan)
    return np.array([xy for parent, i in ends for xy in (points[parent], points[i], nothing)]).reshape(-1, 2).T


def _look(i: int, count: int) -> dict[str, Any]:
    return {
        "linestyle": "",
        "marker": style.MARKERS[i % len(style.MARKERS)],
        "color": style.shades(count)[i],
        "markersize": 3.6,
        "markeredgecolor": "white",
        "markeredgewidth": 0.3,
        "alpha": 0.85,
    }


def _label(axes: Axes, kind: str, found: Scores) -> None:
    """Name the axes: components with their share of the variance, or none for t-SNE, whose axes mean nothing."""
    at = axes.get_subplotspec()
    first = at is not None and at.is_first_col()
    axes.tick_params(labelsize=style.SMALL, left=first, bottom=kind == "PCA")
    if kind == "PCA":
        shares = [*found.shares[:2], 0.0, 0.0]
        axes.set_xlabel(f"component 1 ({100 * shares[0]:.1f} % of variance)")
        axes.set_ylabel(f"component 2 ({100 * shares[1]:.1f} %)" if first else "")
    else:
        axes.tick_params(labelleft=False, labelbottom=False, left=False)
        axes.set_xlabel("t-SNE 1 (no unit)")
        axes.set_ylabel("t-SNE 2 (no unit)" if first else "")


def _titles(figure: Figure, m: Measurements, rows: DataFrame) -> None:
    parents = int((~rows["child"]).sum())
    others = len(m.members) - len(rows)
    note = f"{parents:,} backbones (◇) and {len(rows) - parents:,} children"
    note += ", lines lead to parents" if len(rows) <= LINES else ""
    note += f"; {others:,} members of other shapes not shown" if others else ""
    style.titles(figure, f"{m.zoo}: map of weight space, n = {len(rows):,} members", note)

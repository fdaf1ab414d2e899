"""Accuracy by factor: every member once per factor, as a strip of points with a box for each level."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitzoo.analysis.factors import eta_squared
from vitzoo.analysis.figures import style
from vitzoo.analysis.levels import DataFrame, last_checkpoints, levels, text, varying

LEFT, RIGHT, TOP, BOTTOM = 2.75, 1.35, 0.72, 0.5  # inches around the axes
N_COLUMN, ETA_COLUMN = 0.42, 1.1  # inches right of the axes
ROW, GAP = 0.225, 0.55  # inches per level; gap between factors in rows
SPREAD = 0.78  # of a row over which points are spread, so that they can be told apart
MANY = 1500  # points from which they become pixels, so that the file stays small


def draw(table: DataFrame, name: str) -> Figure:
    """Return the figure: a row per level, grouped by factor, on one accuracy axis, with n and η².

    ``table`` is ``zoo.table()``, ``name`` the zoo's. Boxes are quartiles with the median, whiskers reach to the
    extremes, diamonds are means. InputError if no fine-tuned member is finished.
    """
    rows = last_checkpoints(table)
    keys = [(factor, level) for factor in varying(rows) for level in levels(rows, factor.column)]
    keys = keys or [(None, name)]
    y = style.positions(keys, (GAP,))
    with style.applied():
        figure, axes = _canvas(y[-1] + 1)
        many = len(rows) * len(style.groups(keys, 1)) > MANY
        for (factor, level), place in zip(keys, y, strict=True):
            chosen = rows if factor is None else rows[rows[factor.column] == level]
            _strip(axes, 100 * chosen["test_acc"].sort_values().to_numpy(), place, many)
            _at_right(axes, N_COLUMN, place, f"{len(chosen):,}")
        axes.set_yticks(y, [text(level) for _, level in keys])
        _name_factors(axes, rows, keys, y)
        note = "after the last epoch; box: quartiles, whiskers: extremes, ◇: mean, η²: share of variance explained"
        style.titles(figure, f"{name}: test accuracy by generating factor, n = {len(rows):,} fine-tuned members", note)
    return figure


def _canvas(rows: float) -> tuple[Figure, Axes]:
    height = TOP + rows * ROW + BOTTOM
    figure = style.new_figure(height)
    box = (LEFT / style.WIDTH, BOTTOM / height, 1 - (LEFT + RIGHT) / style.WIDTH, rows * ROW / height)
    axes = figure.add_axes(box)
    axes.set(ylim=(rows - 0.5, -0.5), xlabel="test accuracy (%)")
    axes.set_ylabel("")
    axes.grid(axis="x", color=style.FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=style.SMALL + 0.5)
    return figure, axes


def _strip(axes: Axes, percent: Any, y: float, many: bool) -> None:
    """Draw the points, spread by their rank, and the box over them."""
    offsets = style.spread(len(percent), SPREAD)
    dots = axes.plot(percent, [y + offset for offset in offsets], linestyle="", marker="o", markersize=2.8)
    dots[0].set(color=style.colormap()(0.45), alpha=0.5, markeredgewidth=0, rasterized=many)
    style.box(axes, percent, y, 0.5)


def _name_factors(axes: Axes, rows: DataFrame, keys: list[tuple], y: list[float]) -> None:
    """Write the factors at the very left, and what they explain at the right."""
    _at_right(axes, N_COLUMN, -1.0, "n", style.GREY)
    _at_right(axes, ETA_COLUMN, -1.0, "η²", style.GREY)
    left, across = (0.12 - LEFT) / (style.WIDTH - LEFT - RIGHT), axes.get_yaxis_transform()
    for first, _ in style.groups(keys, 1):
        factor = keys[first][0]
        if factor is not None:
            axes.text(left, y[first], factor.label, transform=across, ha="left", va="center_baseline", weight="bold")
            share = eta_squared(rows["test_acc"], rows[factor.column])
            _at_right(axes, ETA_COLUMN, y[first], f"{share:.2f}" if share == share else "–")


def _at_right(axes: Axes, inches: float, y: float, words: str, colour: str = style.INK) -> None:
    """Write words that end so many inches right of the axes."""
    x = 1 + inches / (style.WIDTH - LEFT - RIGHT)
    axes.text(x, y, words, transform=axes.get_yaxis_transform(), ha="right", va="center_baseline", color=colour)

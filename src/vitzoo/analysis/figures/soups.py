"""Soups over one fine-tuning factor at a time (the paper's Figure 2b): what each gains, by factor."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitzoo.analysis.figures import style
from vitzoo.analysis.figures.gains import AGAINST, gain, positive
from vitzoo.analysis.levels import FACTORS
from vitzoo.errors import InputError
from vitzoo.measures.measurements import DataFrame
from vitzoo.merging.study.averages import Averages

LEFT, RIGHT, TOP, BOTTOM = 1.45, 0.25, 0.62, 0.5  # inches around the panels
ROW = 0.7  # inches per factor
SPREAD = 0.56  # of a row over which points are spread, so that they can be told apart
MANY = 1500  # points from which they become pixels, so that the file stays small
LABELS = {factor.column: factor.label for factor in FACTORS}


def draw(a: Averages) -> Figure:
    """Return the figure: a row per factor, a point per soup, gain over the best member at the left, over the mean at
    the right. InputError if there is no soup."""
    rows = a.soups
    if rows.empty:
        raise InputError(f"No two members of {a.zoo} differ in one factor alone, so there are no soups.")
    factors = order(rows)
    with style.applied():
        figure, panels = _panels(len(factors))
        for panel, (column, name) in zip(panels, AGAINST.items(), strict=True):
            for place, factor in enumerate(factors):
                values = gain(rows[rows["factor"] == factor], column).sort_values()
                _strip(panel, values.to_numpy(), place, len(rows) > MANY)
                _say(panel, place, positive(values))
            panel.set_xlabel(f"test accuracy, soup − {name} of its members (pp)")
        _name(panels[0], rows, factors)
        note = (
            "members that share all but one factor; box: quartiles, whiskers: extremes, ◇: mean; pp: percentage points"
        )
        style.titles(figure, f"{a.zoo}: soups over one fine-tuning factor, n = {len(rows):,} soups", note)
    return figure


def order(rows: DataFrame) -> list[str]:
    """Return the factors of soups, the one with the largest mean gain over the best first."""
    means = gain(rows, "best").groupby(rows["factor"]).mean()
    return list(means.sort_values(ascending=False, kind="stable").index)


def _panels(factors: int) -> tuple[Figure, Any]:
    height = TOP + factors * ROW + BOTTOM
    figure = style.new_figure(height)
    panels = figure.subplots(1, len(AGAINST), sharex=True, sharey=True, squeeze=False)[0]
    sides = {"left": LEFT / style.WIDTH, "right": 1 - RIGHT / style.WIDTH}
    figure.subplots_adjust(**sides, top=1 - TOP / height, bottom=BOTTOM / height, wspace=0.06)
    for panel in panels:
        panel.set_ylim(factors - 0.6, -0.6)
        panel.grid(axis="x", color=style.FAINT, linewidth=0.5)
        panel.set_axisbelow(True)
        panel.axvline(0, color=style.GREY, linewidth=0.8)
        panel.spines["left"].set_visible(False)
        panel.tick_params(axis="y", length=0)
    return figure, panels


def _strip(axes: Axes, values: Any, y: float, many: bool) -> None:
    """Draw the points, spread by their rank, and the box over them."""
    offsets = style.spread(len(values), SPREAD)
    better = values > 0
    for chosen, shade in ((~better, 0.35), (better, 0.72)):
        places = [y + offset for offset, wanted in zip(offsets, chosen, strict=True) if wanted]
        dots = axes.plot(values[chosen], places, linestyle="", marker="o", markersize=3.4)
        dots[0].set(color=style.colormap()(shade), alpha=0.6, markeredgewidth=0, rasterized=many)
    style.box(axes, values, y, 0.36)


def _say(axes: Axes, y: float, words: str) -> None:
    """Write words above a strip, at the left."""
    axes.text(0.0, y - 0.36, words, transform=axes.get_yaxis_transform(), size=style.SMALL, color=style.GREY)


def _name(axes: Axes, rows: DataFrame, factors: list[str]) -> None:
    sizes = [sorted({len(levels) for levels in rows[rows["factor"] == factor]["levels"]}) for factor in factors]
    words = [
        f"{LABELS.get(factor, factor.replace('_', ' '))}\nsoups of {' or '.join(map(str, size))}"
        for factor, size in zip(factors, sizes, strict=True)
    ]
    axes.set_yticks(range(len(factors)), words)

"""Averages along fine-tuning (the paper's Figure 3): every window of checkpoints beside the model at its end."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from vitzoo.analysis.figures import style
from vitzoo.errors import InputError
from vitzoo.measures.measurements import DataFrame
from vitzoo.merging.study.averages import Averages

PANEL, TOP, BOTTOM, LEFT, RIGHT = 3.1, 1.02, 0.55, 0.75, 0.2  # inches
BETWEEN = 0.24  # of a panel's width


def draw(a: Averages) -> Figure:
    """Return the figure: least, mean and greatest accuracy over members by epoch, plain and averaged, at the left; at
    the right what averaging gains. InputError if there is no window."""
    rows = a.course()
    if not rows["average"].notna().any():
        raise InputError(f"No member of {a.zoo} keeps {a.last} checkpoints of its fine-tuning.")
    members = rows["member"].nunique()
    with style.applied():
        figure, (left, right) = _panels()
        plain, averaged = looks()
        gains = 100 * (rows["average"] - rows["plain"])
        _band(left, rows["epoch"], 100 * rows["plain"], plain)
        _band(left, rows["epoch"], 100 * rows["average"], averaged)
        _band(right, rows["epoch"], gains, averaged)
        _middle(right, rows["epoch"], gains, averaged)
        right.axhline(0, color=style.GREY, linewidth=0.8)
        right.set_xlim(left.get_xlim())
        for panel, title, label in (
            (left, "accuracy", "test accuracy (%)"),
            (right, "average − model at the same epoch", "gain of the average (pp)"),
        ):
            panel.set_title(title, loc="left", size=style.TEXT, color=style.INK, pad=4)
            panel.set(ylabel=label, xlabel="fine-tuning epoch")
        _legend(figure, a.last)
        title = f"{a.zoo}: averages along fine-tuning, n = {members:,} fine-tuned members"
        style.titles(
            figure,
            title,
            "lines are means over members; an average is of the checkpoints up to its epoch; pp: percentage points",
        )
    return figure


def looks() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how models and averages look: told apart by colour, dash and marker."""
    thick = {"linewidth": 1.8, "markersize": 5, "markeredgecolor": "white", "markeredgewidth": 0.6}
    return (
        {"color": style.GREY, "linestyle": (0, (3.2, 1.2)), "marker": "o", **thick},
        {"color": style.shades(5)[1], "linestyle": "-", "marker": "s", **thick},
    )


def _panels() -> tuple[Figure, Any]:
    height = TOP + PANEL + BOTTOM
    figure = style.new_figure(height)
    panels = figure.subplots(1, 2)
    sides = {"left": LEFT / style.WIDTH, "right": 1 - RIGHT / style.WIDTH}
    figure.subplots_adjust(**sides, top=1 - TOP / height, bottom=BOTTOM / height, wspace=BETWEEN)
    for panel in panels:
        panel.grid(color=style.FAINT, linewidth=0.5)
        panel.set_axisbelow(True)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    return figure, panels


def _band(axes: Axes, epochs: DataFrame, values: DataFrame, look: dict[str, Any]) -> None:
    by_epoch = values.groupby(epochs).agg(["min", "mean", "max"]).dropna()
    x = by_epoch.index.to_numpy()
    low, mean, high = (by_epoch[name].to_numpy() for name in ("min", "mean", "max"))
    axes.fill_between(x, low, high, color=look["color"], alpha=0.16, linewidth=0)
    for edge in (low, high):
        axes.plot(x, edge, color=look["color"], linestyle=look["linestyle"], linewidth=0.7)
    if len(x) == 1:  # a band without width
        axes.vlines(x, low, high, color=look["color"], linewidth=0.7)
    axes.plot(x, mean, markevery=max(1, len(x) // 12), **look)


def _middle(axes: Axes, epochs: DataFrame, values: DataFrame, look: dict[str, Any]) -> None:
    by_epoch = values.groupby(epochs).quantile([0.25, 0.75]).unstack().dropna()
    axes.fill_between(by_epoch.index.to_numpy(), *by_epoch.to_numpy().T, color=look["color"], alpha=0.28, linewidth=0)


def _legend(figure: Figure, last: int) -> None:
    plain, averaged = looks()
    handles = [
        Line2D([], [], label="models", **plain),
        Line2D([], [], label=f"averages of {last} checkpoints", **averaged),
        Patch(color=averaged["color"], alpha=0.16, linewidth=0, label="least to greatest"),
        Patch(color=averaged["color"], alpha=0.4, linewidth=0, label="the middle half"),
    ]
    style.legend(figure, handles, len(handles))

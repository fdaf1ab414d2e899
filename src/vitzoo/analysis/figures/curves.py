"""Learning curves: test accuracy of every fine-tuned member over epochs, by task, optimizer and learning rate."""

from itertools import product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vitzoo.analysis.figures import style
from vitzoo.analysis.levels import DataFrame, finetuned, levels, text

DASHES = ("-", (0, (3.2, 1.2)), (0, (1.1, 1.1)), (0, (4, 1, 1, 1)))
MANY = 400  # members from which thin lines become pixels, so that the file stays small
PANEL, LEFT, RIGHT, TOP, BOTTOM = 1.75, 0.62, 0.2, 1.02, 0.5  # inches


def draw(table: DataFrame, name: str) -> Figure:
    """Return the figure: a panel per pre-training task and optimizer, a colour per learning rate.

    ``table`` is ``zoo.table()``, ``name`` the zoo's. Thin lines are members, thick ones their mean at each epoch that
    all of them keep. InputError if no fine-tuned member is finished.
    """
    rows = finetuned(table)
    tasks, optimizers, rates = (levels(rows, column) for column in ("parent_task", "optimizer", "lr"))
    # With one task, optimizers lie side by side, where they are easier to compare.
    down, across = (len(optimizers), len(tasks)) if len(tasks) > 1 else (1, len(optimizers))
    with style.applied():
        figure, panels = _panels(rows, down, across)
        for panel, (optimizer, task) in zip(panels.flat, product(optimizers, tasks), strict=True):
            chosen = rows[(rows["optimizer"] == optimizer) & (rows["parent_task"] == task)]
            _draw_panel(panel, chosen, rates)
            label = f"{task} · {optimizer} (n = {chosen['member'].nunique():,})"
            panel.set_title(label, loc="left", size=style.TEXT, color=style.INK, pad=4)
        _legend(figure, rates)
        title = f"{name}: learning curves, n = {rows['member'].nunique():,} fine-tuned members"
        style.titles(figure, title, "panels: pre-training task · optimizer; thin: members, thick: their mean")
    return figure


def _panels(rows: DataFrame, down: int, across: int) -> tuple[Figure, Any]:
    """Return panels that share both axes, with labels at the outer ones."""
    height = TOP + BOTTOM + down * PANEL + (down - 1) * 0.3
    figure = style.new_figure(height)
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(
        left=LEFT / style.WIDTH,
        right=1 - RIGHT / style.WIDTH,
        top=1 - TOP / height,
        bottom=BOTTOM / height,
        wspace=0.06,
        hspace=0.3 / PANEL,
    )
    figure.supxlabel(
        "fine-tuning epoch", size=style.TEXT, y=0.12 / height, x=(1 + (LEFT - RIGHT) / style.WIDTH) / 2, va="bottom"
    )
    figure.supylabel("test accuracy (%)", size=style.TEXT, x=0.012, y=(1 + (BOTTOM - TOP) / height) / 2, ha="left")
    panels[0][0].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    for panel in panels.flat:
        at = panel.get_subplotspec()
        panel.tick_params(left=at.is_first_col(), bottom=at.is_last_row())
    first, last = rows["epoch"].min(), rows["epoch"].max()
    panels[0][0].set_xlim(first - 0.02 * (last - first) - 1e-9, last + 0.02 * (last - first) + 1e-9)
    return figure, panels


def _draw_panel(axes: Axes, rows: DataFrame, rates: list[Any]) -> None:
    axes.grid(axis="y", color=style.FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    colours = style.shades(len(rates))
    for i, rate in enumerate(rates):
        of_rate = rows[rows["lr"] == rate].assign(percent=lambda frame: 100 * frame["test_acc"])
        if of_rate.empty:
            continue
        members = [m[["epoch", "percent"]].to_numpy() for _, m in of_rate.sort_values("epoch").groupby("member")]
        thin = LineCollection(members, colors=[colours[i]], linewidths=0.5, alpha=0.35, rasterized=len(members) > MANY)
        axes.add_collection(thin)
        by_epoch = of_rate.groupby("epoch")["percent"].agg(["mean", "size"])
        mean = by_epoch.loc[by_epoch["size"] == len(members), "mean"]
        axes.plot(mean.index.to_numpy(), mean.to_numpy(), markevery=max(1, len(mean) // 8), **_look(i, colours[i]))


def _look(i: int, colour: tuple[float, ...]) -> dict[str, Any]:
    return {
        "color": colour,
        "linestyle": DASHES[i % len(DASHES)],
        "linewidth": 1.8,
        "marker": style.MARKERS[i % len(style.MARKERS)],
        "markersize": 4.5,
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
    }


def _legend(figure: Figure, rates: list[Any]) -> None:
    colours = style.shades(len(rates))
    handles = [Line2D([], [], label=text(rate), **_look(i, colours[i])) for i, rate in enumerate(rates)]
    style.legend(figure, [Line2D([], [], linestyle="", label="learning rate"), *handles], len(rates) + 1)

"""Generalisation gap against accuracy: every fine-tuned member a point, by task, learning rate and optimizer."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vitzoo.analysis.figures import style
from vitzoo.analysis.levels import DataFrame, last_checkpoints, levels, text
from vitzoo.errors import InputError
from vitzoo.measures.measurements import Measurements

PANEL, TOP, BOTTOM, LEFT, RIGHT = 3.1, 1.02, 0.55, 0.75, 0.2  # inches
MANY = 1500  # points from which they become pixels, so that the file stays small


def draw(m: Measurements) -> Figure:
    """Return the figure: a panel per pre-training task, colour and size by learning rate, marker by optimizer.

    The gap is training minus test accuracy, both evaluated without augmentation, in percentage points.
    InputError if no fine-tuned member has a known gap.
    """
    rows = last_checkpoints(m.members)
    rows = rows[rows["gap"].notna()]
    if rows.empty:
        raise InputError(
            f"No fine-tuned member of {m.zoo} has a recorded training accuracy, so there is no generalisation gap."
        )
    tasks = levels(rows, "parent_task")
    with style.applied():
        figure, panels = _panels(len(tasks))
        for panel, task in zip(panels, tasks, strict=True):
            chosen = rows[rows["parent_task"] == task]
            _draw_panel(panel, rows, chosen)
            panel.set_title(f"{task} (n = {len(chosen):,})", loc="left", size=style.TEXT, color=style.INK, pad=4)
        panels[0].set_ylabel("generalisation gap (pp)")
        _legend(figure, rows)
        note = (
            "gap: training − test accuracy after the last epoch, in percentage points (pp); panels: pre-training task"
        )
        style.titles(figure, f"{m.zoo}: generalisation gap, n = {len(rows):,} fine-tuned members", note)
    return figure


def _panels(count: int) -> tuple[Figure, Any]:
    height = TOP + PANEL + BOTTOM
    figure = style.new_figure(height)
    panels = figure.subplots(1, count, sharex=True, sharey=True, squeeze=False)[0]
    sides = {"left": LEFT / style.WIDTH, "right": 1 - RIGHT / style.WIDTH}
    figure.subplots_adjust(**sides, top=1 - TOP / height, bottom=BOTTOM / height, wspace=0.06)
    for panel in panels:
        panel.set_xlabel("test accuracy (%)")
        panel.grid(color=style.FAINT, linewidth=0.5)
        panel.set_axisbelow(True)
        panel.axhline(0, color=style.GREY, linewidth=0.8)
        panel.tick_params(left=panel is panels[0])
    return figure, panels


def _draw_panel(axes: Axes, rows: DataFrame, chosen: DataFrame) -> None:
    rates, optimizers = levels(rows, "lr"), levels(rows, "optimizer")
    for (optimizer, rate), points in chosen.groupby(["optimizer", "lr"]):
        look = _look(rates.index(rate), len(rates), optimizers.index(optimizer))
        x, y = 100 * points["test_acc"].to_numpy(), 100 * points["gap"].to_numpy()
        axes.plot(x, y, rasterized=len(rows) > MANY, **look)


def _look(rate: int, rates: int, optimizer: int) -> dict[str, Any]:
    """Larger learning rates are lighter and larger, so that they are told apart in grey."""
    return {
        "linestyle": "",
        "marker": style.MARKERS[optimizer % len(style.MARKERS)],
        "color": style.shades(rates)[rate],
        "markersize": 3.6 + 2.4 * rate / max(1, rates - 1),
        "markeredgecolor": "white",
        "markeredgewidth": 0.4,
        "alpha": 0.85,
    }


def _legend(figure: Figure, rows: DataFrame) -> None:
    rates, optimizers = levels(rows, "lr"), levels(rows, "optimizer")
    handles = [Line2D([], [], linestyle="", label="learning rate")]
    handles += [Line2D([], [], label=text(rate), **_look(i, len(rates), 0)) for i, rate in enumerate(rates)]
    handles += [Line2D([], [], linestyle="", label="optimizer")]
    for i, optimizer in enumerate(optimizers):
        look = _look(0, 1, i) | {"color": style.GREY, "markersize": 5}
        handles.append(Line2D([], [], label=text(optimizer), **look))
    style.legend(figure, handles, len(handles))

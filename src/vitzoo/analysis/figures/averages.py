"""Averages over the last epochs (the paper's Figure 2a): what each gains, by generalisation gap."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vitzoo.analysis.figures import style
from vitzoo.analysis.figures.gains import AGAINST, gain, positive
from vitzoo.analysis.levels import levels, text
from vitzoo.errors import InputError
from vitzoo.measures.measurements import DataFrame
from vitzoo.merging.study.averages import Averages

PANEL, TOP, BOTTOM, LEFT, RIGHT = 3.3, 1.02, 0.55, 0.75, 1.0  # inches
BAR = 0.13  # inches
UNKNOWN = (0.75, 0.75, 0.75, 1.0)  # the colour of members without a gap
MANY = 1500  # points from which they become pixels, so that the file stays small


def draw(a: Averages) -> Figure:
    """Return the figure: a point per member, gain over the best of the averaged at the left, over their mean at the
    right; colour by gap, marker by optimizer. InputError if no member has an average of its last checkpoints."""
    rows = a.members
    if rows.empty:
        raise InputError(f"No member of {a.zoo} has an average of its last {a.last} checkpoints.")
    scale = _scale(rows)
    with style.applied():
        figure, panels = _panels()
        for panel, (column, name) in zip(panels, AGAINST.items(), strict=True):
            _points(panel, rows, column, scale)
            label = f"against {name} of the {a.last}: {positive(gain(rows, column))}"
            panel.set_title(label, loc="left", size=style.TEXT, color=style.INK, pad=4)
            panel.set_xlabel(f"test accuracy of {name} (%)")
        panels[0].set_ylabel("gain of the average (pp)")
        _colour_bar(figure, scale)
        _legend(figure, rows)
        title = f"{a.zoo}: averages of the last {a.last} checkpoints, n = {len(rows):,} fine-tuned members"
        style.titles(
            figure, title, "test accuracy of the average minus that of the averaged, in percentage points (pp)"
        )
    return figure


def colours() -> Colormap:
    """Return the colours of gaps: dark to light, but for the lightest, which fade on white."""
    return LinearSegmentedColormap.from_list("gaps", style.shades(64))


def _scale(rows: DataFrame) -> Normalize:
    gaps = 100 * rows["gap"].dropna()
    low, high = (float(gaps.min()), float(gaps.max())) if len(gaps) else (0.0, 1.0)
    return Normalize(low, high if high > low else low + 1)


def _panels() -> tuple[Figure, Any]:
    height = TOP + PANEL + BOTTOM
    figure = style.new_figure(height)
    panels = figure.subplots(1, len(AGAINST), sharex=True, sharey=True, squeeze=False)[0]
    sides = {"left": LEFT / style.WIDTH, "right": 1 - RIGHT / style.WIDTH}
    figure.subplots_adjust(**sides, top=1 - TOP / height, bottom=BOTTOM / height, wspace=0.06)
    for panel in panels:
        panel.grid(color=style.FAINT, linewidth=0.5)
        panel.set_axisbelow(True)
        panel.axhline(0, color=style.GREY, linewidth=0.8)
        panel.tick_params(left=panel is panels[0])
    return figure, panels


def _points(axes: Axes, rows: DataFrame, column: str, scale: Normalize) -> None:
    optimizers = levels(rows, "optimizer")
    for optimizer, own in rows.groupby("optimizer"):
        # The smallest gaps first, so that points with large ones, which the figure is about, are not hidden.
        own = own.sort_values("gap", na_position="first")
        gaps, known = 100 * own["gap"].to_numpy(), own["gap"].notna().to_numpy()
        shades = colours()(scale(gaps))
        shades[~known] = UNKNOWN
        axes.scatter(
            100 * own[column],
            gain(own, column),
            s=21,
            marker=style.MARKERS[optimizers.index(optimizer) % len(style.MARKERS)],
            c=shades,
            alpha=0.85,
            edgecolors="white",
            linewidths=0.4,
            rasterized=len(rows) > MANY,
        )


def _colour_bar(figure: Figure, scale: Normalize) -> None:
    height = float(figure.get_figheight())
    left = 1 - (RIGHT - 0.2) / style.WIDTH
    place = figure.add_axes((left, BOTTOM / height, BAR / style.WIDTH, PANEL / height))
    bar = figure.colorbar(ScalarMappable(scale, colours()), cax=place)
    bar.outline.set_visible(False)
    place.set_ylabel("generalisation gap (pp)")
    place.tick_params(labelsize=style.SMALL)


def _legend(figure: Figure, rows: DataFrame) -> None:
    handles = [Line2D([], [], linestyle="", label="optimizer")]
    for i, optimizer in enumerate(levels(rows, "optimizer")):
        handles.append(Line2D([], [], label=text(optimizer), **_sign(style.MARKERS[i % len(style.MARKERS)])))
    if rows["gap"].isna().any():
        handles.append(Line2D([], [], label="gap not recorded", **_sign("o", UNKNOWN)))
    style.legend(figure, handles, len(handles), wide=1.6)


def _sign(marker: str, colour: Any = style.GREY) -> dict[str, Any]:
    look = {"linestyle": "", "markeredgecolor": "white", "markeredgewidth": 0.4, "markersize": 5.5}
    return {"marker": marker, "color": colour, **look}

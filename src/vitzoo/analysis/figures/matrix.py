"""A square of numbers between members, ordered by lineage: brackets for backbones, tracks for fine-tuning factors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator

from vitzoo.analysis.figures import style
from vitzoo.analysis.levels import DataFrame, Factor, levels, short_backbone, text, varying

SIDE, LEFT, RIGHT, TOP, BOTTOM = 5.8, 2.6, 0.97, 0.95, 0.42  # inches
TRACK, TRACKS = 0.13, 3  # inches per track; at most so many
NATIVE = 600  # members up to which the picture has a pixel per pair; that is about what the page shows
LOWEST_NAME = 0.11  # inches of a bracket with a name
UNKNOWN = "#e8e8e8"


@dataclass(frozen=True, eq=False)
class Square:
    """What is drawn: rows by lineage, values [n, n] in the same order NaN where unknown; label with unit, scale."""

    rows: DataFrame
    values: np.ndarray
    label: str
    scale: Normalize


def draw(square: Square, title: str, note: str) -> Figure:
    """Return the figure; larger values are lighter, unknown ones light grey."""
    with style.applied():
        figure, axes = _canvas()
        _picture(figure, axes, square)
        tracks = [f for f in varying(square.rows) if not f.of_parent and f.column != "seed"][:TRACKS]
        for place, factor in enumerate(tracks):
            _track(figure, square.rows, factor, place - len(tracks))
        _brackets(axes, square.rows, 0.1 + TRACK * len(tracks))
        _legend(figure, square.rows, tracks)
        axes.set_xlabel(f"members, in the same order (n = {len(square.rows):,})", labelpad=6)
        style.titles(figure, title, note)
    return figure


def _canvas() -> tuple[Figure, Axes]:
    height = TOP + SIDE + BOTTOM
    figure = style.new_figure(height)
    axes = figure.add_axes((LEFT / style.WIDTH, BOTTOM / height, SIDE / style.WIDTH, SIDE / height))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_ylabel("members, by task, backbone and fine-tuning factors", labelpad=(LEFT - 0.3) * 72)
    return figure, axes


def _picture(figure: Figure, axes: Axes, square: Square) -> None:
    colours = style.colormap().with_extremes(bad=UNKNOWN)
    # Pixels, also in SVG: as shapes, a quarter of a million of them would be a file of many megabytes.
    how = "none" if len(square.rows) <= NATIVE else "auto"
    picture = axes.imshow(square.values, cmap=colours, norm=square.scale, interpolation=how, aspect="auto")
    height = float(figure.get_figheight())
    left = (LEFT + SIDE + 0.12) / style.WIDTH
    place = figure.add_axes((left, BOTTOM / height, 0.14 / style.WIDTH, SIDE / height))
    bar = figure.colorbar(picture, cax=place)
    bar.outline.set_visible(False)
    if isinstance(square.scale, LogNorm):
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.minorticks_off()
    place.set_ylabel(square.label)
    place.tick_params(labelsize=style.SMALL)


def _track(figure: Figure, rows: DataFrame, factor: Factor, place: int) -> None:
    """Draw one factor as a narrow column left of the square; backbones, which have no such level, stay white."""
    found, height = levels(rows, factor.column), float(figure.get_figheight())
    children = rows["stage"] == "finetuning"
    codes = [
        found.index(value) if child else np.nan for value, child in zip(rows[factor.column], children, strict=True)
    ]
    left = (LEFT - 0.04 + TRACK * place) / style.WIDTH
    axes = figure.add_axes((left, BOTTOM / height, 0.8 * TRACK / style.WIDTH, SIDE / height))
    shades = ListedColormap(style.shades(len(found)))
    axes.imshow(
        np.array(codes)[:, None], cmap=shades, vmin=-0.5, vmax=len(found) - 0.5, aspect="auto", interpolation="none"
    )
    axes.set_axis_off()


def _brackets(axes: Axes, rows: DataFrame, gap: float) -> None:
    """Write the backbones beside a line for each, and the tasks at the very left; ``gap`` is in inches."""
    keys = list(zip(rows["parent_task"], rows["backbone"], strict=True))
    across, unit = axes.get_yaxis_transform(), SIDE / len(keys)
    line = {"transform": across, "color": style.GREY, "linewidth": 0.8, "clip_on": False}
    for first, last in style.groups(keys, 2):
        ends = [first - 0.5 + 0.04 / unit, last + 0.5 - 0.04 / unit]
        axes.plot([-gap / SIDE] * 2, ends if ends[0] < ends[1] else [first - 0.4, last + 0.4], **line)
        if (last - first + 1) * unit >= LOWEST_NAME:
            name = short_backbone(keys[first][1], keys[first][0])
            words = {"transform": across, "size": style.SMALL, "ha": "right", "va": "center"}
            axes.text(-(gap + 0.06) / SIDE, (first + last) / 2, name, **words)
    runs = style.groups(keys, 1)
    for first, last in runs if len(runs) > 1 else []:
        far = -(LEFT - 0.62) / SIDE
        axes.plot([far] * 2, [first - 0.3, last + 0.3], **line)
        words = {"transform": across, "rotation": 90, "ha": "right", "va": "center", "size": style.TEXT}
        axes.text(far - 0.04 / SIDE, (first + last) / 2, keys[first][0], **words)


def _legend(figure: Figure, rows: DataFrame, tracks: list[Factor]) -> None:
    handles: list[Any] = []
    for factor in tracks:
        found = levels(rows[rows["stage"] == "finetuning"], factor.column)
        handles.append(Patch(facecolor="none", label=factor.label))
        shades = style.shades(len(found))
        handles += [Patch(color=shade, label=text(value)) for shade, value in zip(shades, found, strict=True)]
    if handles:
        style.legend(figure, handles, len(handles), wide=1.6)

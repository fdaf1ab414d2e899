"""The look that all figures share, and how they are written: the same data give the same bytes."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

WIDTH = 9.375  # inches; 900 pixels in a browser
# Both are perceptually uniform: also in grey, larger is lighter. Two, because accuracies and factors are two things.
MAP, FACTOR_MAP = "viridis", "plasma"
INK, GREY, FAINT = "#1a1a1a", "#6b6b6b", "#d9d9d9"
SMALL, TEXT, TITLE = 7.0, 8.5, 10.5  # points
GOLDEN = 0.6180339887498949  # its multiples spread evenly, unlike random jitter
MARKERS = ("o", "s", "^", "D", "v", "P")
RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib, so it is the same everywhere
    "font.size": TEXT,
    "text.color": INK,
    "text.parse_math": False,  # a name with a dollar sign is a name
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",  # not transparent: readable on a dark page, too
    "svg.fonttype": "path",
    "svg.hashsalt": "vitzoo",
}


@contextmanager
def applied() -> Iterator[None]:
    """Use the shared look, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


def colormap() -> Colormap:
    """Return the map from accuracies to colours."""
    return mpl.colormaps[MAP]


def shades(count: int) -> list[tuple[float, float, float, float]]:
    """Return colours for so many levels of a factor, from dark to light, but for the lightest, which fade on white."""
    return [mpl.colormaps[FACTOR_MAP](0.75 * i / max(1, count - 1)) for i in range(count)]


def new_figure(height: float) -> Figure:
    """Return an empty figure of the common width and a height in inches."""
    return Figure(figsize=(WIDTH, height))


def titles(figure: Figure, title: str, subtitle: str) -> None:
    """Write title and subtitle at the top left; the title is the figure's label, too."""
    figure.set_label(title)
    height = float(figure.get_figheight())
    figure.text(0.012, 1 - 0.10 / height, title, ha="left", va="top", size=TITLE, weight="bold")
    figure.text(0.012, 1 - 0.32 / height, subtitle, ha="left", va="top", size=TEXT, color=GREY)


def legend(figure: Figure, handles: Sequence[Any], columns: int, wide: float = 3.2) -> None:
    """Write a legend in rows of so many columns below the titles, its signs so many letters wide."""
    figure.legend(
        handles=list(handles),
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - 0.5 / float(figure.get_figheight())),
        ncols=columns,
        frameon=False,
        fontsize=TEXT,
        handlelength=wide,
        borderpad=0.2,
        columnspacing=0.5 * wide,
    )


def positions(keys: Sequence[tuple], gaps: Sequence[float]) -> list[float]:
    """Place items one unit apart, with ``gaps[i]`` added where key ``i`` is the first that differs.

    >>> positions([("a", 1), ("a", 2), ("b", 1)], gaps=(0.5, 0.0))
    [0.0, 1.0, 2.5]
    """
    places = [0.0]
    for before, now in pairwise(keys):
        level = next((i for i, (old, new) in enumerate(zip(before, now, strict=True)) if old != new), len(now))
        places.append(places[-1] + 1 + (gaps[level] if level < len(gaps) else 0.0))
    return places


def groups(keys: Sequence[tuple], depth: int) -> list[tuple[int, int]]:
    """Return first and last index of each run of items that agree in their first ``depth`` keys.

    >>> groups([("a", 1), ("a", 2), ("b", 1)], depth=1)
    [(0, 1), (2, 2)]
    """
    runs: list[tuple[int, int]] = []
    for i, key in enumerate(keys):
        if runs and keys[runs[-1][0]][:depth] == key[:depth]:
            runs[-1] = (runs[-1][0], i)
        else:
            runs.append((i, i))
    return runs


def spread(count: int, over: float) -> list[float]:
    """Return offsets over which so many points are spread, so that they can be told apart: the same in every run."""
    return [over * ((i * GOLDEN) % 1 - 0.5) for i in range(count)]


def box(axes: Any, values: Any, y: float, wide: float) -> None:
    """Draw quartiles and median as a box, the extremes as whiskers, and the mean as a diamond."""
    line = {"color": INK, "linewidth": 0.8}
    axes.boxplot(
        [values],
        positions=[y],
        orientation="horizontal",
        widths=wide,
        whis=(0, 100),
        showcaps=False,
        showmeans=True,
        manage_ticks=False,
        boxprops=line,
        whiskerprops=line | {"color": GREY, "linewidth": 0.6},
        medianprops=line | {"linewidth": 2.0},
        meanprops={"marker": "D", "markersize": 4.2, "markerfacecolor": "white", "markeredgecolor": INK},
    )


def save(figure: Figure, path: Path, dpi: int = 96) -> None:
    """Write a figure, as SVG or PNG by the path's ending; equal figures give equal bytes."""
    # Dates and versions would make the bytes differ between days and installations.
    metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else {"Software": None}
    with applied(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in another script is drawn as boxes
        figure.savefig(path, dpi=dpi, metadata=metadata)

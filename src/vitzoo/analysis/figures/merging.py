"""What alignments keep of models that were pre-trained apart, and what lies on the line between two of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from vitzoo.analysis.figures.style import GREY, INK, MARKERS, SMALL, applied, legend, new_figure, shades, titles

LEAST = -0.1  # of what is drawn as retained; chance is 0
ROW = 0.2  # inches for a method


def draw(
    title: str, summary: Sequence[Mapping[str, Any]], sets: Sequence[str], paths: Mapping[str, Mapping[str, Any]]
) -> Figure:
    """Draw methods by sets, and accuracy along the line of two models by method.

    ``summary``: rows of ``vitzoo merge benchmark --json``; ``sets``: which kinds of them; ``paths``: by method, what
    ``vitzoo merge across --json`` has under "between".
    """
    methods = list(dict.fromkeys(row["method"] for row in summary))
    with applied():
        figure = new_figure(1.35 + ROW * len(methods))
        left, *others = figure.subplots(1, 2, width_ratios=(1.5, 1)) if paths else [figure.subplots()]
        colours = shades(max(len(sets), len(paths)))
        for row in summary:
            if row["set"] in sets:
                _point(left, methods, sets, row, colours)
        left.set_yticks(range(len(methods)), methods)
        left.invert_yaxis()
        left.set_xlim(LEAST, 1.15)
        left.set_xlabel("retained: 0 is chance, 1 the mean of the models")
        for place in (0.0, 1.0):
            left.axvline(place, color=GREY, linewidth=0.6)
        left.grid(axis="y", color="#ececec", linewidth=0.6)
        for right in others:
            _lines(right, paths, colours)
        height = float(figure.get_figheight())
        figure.subplots_adjust(left=0.2, right=0.985, top=1 - 0.98 / height, bottom=0.45 / height, wspace=0.22)
        titles(
            figure,
            title,
            "mean and standard deviation over draws" + ("; right: averages of two aligned models" if paths else ""),
        )
        signs = [
            Line2D([], [], marker=MARKERS[i], color=colours[i], linestyle="none", markersize=5, label=kind)
            for i, kind in enumerate(sets)
        ]
        legend(figure, signs, columns=len(signs), wide=1.5)
    return figure


def _point(
    axes: Any, methods: Sequence[str], sets: Sequence[str], row: Mapping[str, Any], colours: Sequence[Any]
) -> None:
    number = list(sets).index(row["set"])
    place = list(methods).index(row["method"]) + 0.18 * (number - (len(sets) - 1) / 2)
    axes.errorbar(
        max(LEAST, row["retained"]),
        place,
        xerr=row["sd"] or None,
        marker=MARKERS[number],
        markersize=4,
        color=colours[number],
        elinewidth=0.8,
    )


def _lines(axes: Any, paths: Mapping[str, Mapping[str, Any]], colours: Sequence[Any]) -> None:
    """Draw accuracy from the first model to the second; the name of a method stands at its middle."""
    for number, (method, found) in enumerate(paths.items()):
        points = sorted(zip((share[1] for share in found["shares"]), found["accuracy"], strict=True))
        xs, ys = [x for x, _ in points], [100 * y for _, y in points]
        axes.plot(xs, ys, color=colours[number], marker=MARKERS[number], markersize=3, linewidth=1.1)
        middle = ys[len(ys) // 2]
        axes.annotate(method, (0.5, middle), (0, 4), textcoords="offset points", ha="center", size=SMALL, color=INK)
    axes.set_xlabel("share of the second model")
    axes.set_ylabel("test accuracy (%)")
    axes.set_ylim(bottom=0)
    axes.grid(color="#ececec", linewidth=0.6)
    axes.xaxis.set_major_locator(MultipleLocator(0.25))

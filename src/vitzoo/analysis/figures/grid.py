"""The grid of generating factors (the paper's Figure 1): backbones by fine-tuning cells, coloured by test accuracy."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vitzoo.analysis.figures import style
from vitzoo.analysis.levels import DataFrame, Factor, last_checkpoints, short_backbone, text, varying

GAPS = (0.55, 0.28, 0.12)  # between groups of columns, the outermost first; in widths of a cell
TASK_GAP = 0.45  # between tasks, in heights of a cell
LEFT, RIGHT, TOP, BOTTOM = 1.75, 0.8, 0.62, 0.14  # inches around the cells and their column labels
ROW, LINE = 0.27, 0.2  # inches per row of cells and per line of column labels
LOWEST_BAR = 1.2  # inches; the label is as long
NARROWEST, MANY = 0.19, 500  # numbers are written in cells that are wider (inches), if there are not too many


@dataclass(frozen=True)
class Grid:
    """Accuracies in percent by (task, backbone) and by configuration, with the places of rows and columns."""

    cells: dict[tuple[tuple, tuple], float]
    backbones: list[tuple]
    columns: list[tuple]
    factors: list[Factor]

    @property
    def x(self) -> list[float]:
        """Centre of each column, in widths of a cell."""
        return style.positions(self.columns, GAPS[: max(0, len(self.factors) - 1)])

    @property
    def y(self) -> list[float]:
        """Centre of each row, in heights of a cell, downwards."""
        return style.positions(self.backbones, (TASK_GAP,))

    @property
    def unit(self) -> float:
        """Width of a cell in inches."""
        return (style.WIDTH - LEFT - RIGHT) / (self.x[-1] + 1)


def draw(table: DataFrame, name: str) -> Figure:
    """Return the figure. ``table`` is ``zoo.table()``, ``name`` the zoo's. InputError if nothing is finished.

    Members that agree in all factors shown share a cell, which then shows their mean.
    """
    rows = last_checkpoints(table)
    grid = _grid(rows)
    with style.applied():
        figure, axes = _canvas(grid)
        _fill(figure, axes, grid)
        _name_columns(axes, grid)
        _name_rows(axes, grid)
        note = f"{len(grid.backbones)} backbones × {len(grid.columns)} fine-tuning configurations, after the last epoch"
        missing = len(grid.backbones) * len(grid.columns) - len(grid.cells)
        note += f"; {missing} missing or unfinished (hatched)" if missing else ""
        style.titles(figure, f"{name}: the grid of generating factors, n = {len(rows):,} fine-tuned members", note)
    return figure


def _grid(rows: DataFrame) -> Grid:
    factors = [factor for factor in varying(rows) if not factor.of_parent]
    by = ["parent_task", "backbone", *(factor.column for factor in factors)]
    means = rows.groupby(by, observed=True)["test_acc"].mean().reset_index()
    cells = {(key[:2], key[2:-1]): 100 * key[-1] for key in means.itertuples(index=False, name=None)}
    ordered = rows.sort_values(["parent_task", "backbone"]).drop_duplicates("backbone")
    backbones = list(zip(ordered["parent_task"], ordered["backbone"], strict=True))
    return Grid(cells, backbones, sorted({column for _, column in cells}), factors)


def _canvas(grid: Grid) -> tuple[Figure, Axes]:
    """Return a figure as high as the grid needs, with axes in units of cells."""
    rows, lines = grid.y[-1] + 1, LINE / ROW * len(grid.factors)
    height = TOP + max((rows + lines) * ROW, LOWEST_BAR) + BOTTOM
    figure = style.new_figure(height)
    box = (LEFT / style.WIDTH, BOTTOM / height, 1 - (LEFT + RIGHT) / style.WIDTH, (rows + lines) * ROW / height)
    axes = figure.add_axes(box)
    axes.set(xlim=(-0.5, grid.x[-1] + 0.5), ylim=(grid.y[-1] + 0.5, -0.5 - lines))
    axes.set_axis_off()
    return figure, axes


def _fill(figure: Figure, axes: Axes, grid: Grid) -> None:
    """Draw the cells, the numbers in them where there is room, and the colour bar."""
    places = {
        (b, c): (x, y)
        for b, y in zip(grid.backbones, grid.y, strict=True)
        for c, x in zip(grid.columns, grid.x, strict=True)
    }
    low, high = min(grid.cells.values()), max(grid.cells.values())
    scale = Normalize(low, high if high > low else low + 1)
    tiles = PatchCollection(
        [_tile(*places[key]) for key in grid.cells], cmap=style.colormap(), norm=scale, linewidths=0
    )
    tiles.set_array(list(grid.cells.values()))
    axes.add_collection(tiles)
    holes = [_tile(*place) for key, place in places.items() if key not in grid.cells]
    axes.add_collection(PatchCollection(holes, facecolor="none", edgecolor=style.FAINT, hatch="/////", linewidths=0))
    for key, value in grid.cells.items() if grid.unit >= NARROWEST and len(grid.cells) <= MANY else ():
        ink = "white" if scale(value) < 0.45 else style.INK
        axes.text(*places[key], f"{value:.0f}", size=style.SMALL, color=ink, ha="center", va="center_baseline")
    _colour_bar(figure, tiles, grid)


def _colour_bar(figure: Figure, tiles: PatchCollection, grid: Grid) -> None:
    """Draw the colour bar beside the cells, as high as they are, but never too low to be read."""
    height = float(figure.get_figheight())
    left, tall = 1 - (RIGHT - 0.16) / style.WIDTH, max((grid.y[-1] + 1) * ROW, LOWEST_BAR) / height
    place = figure.add_axes((left, BOTTOM / height, 0.13 / style.WIDTH, tall))
    bar = figure.colorbar(tiles, cax=place)
    bar.outline.set_visible(False)
    place.set_ylabel("test accuracy (%)")
    place.tick_params(labelsize=style.SMALL)


def _tile(x: float, y: float) -> Rectangle:
    return Rectangle((x - 0.48, y - 0.47), 0.96, 0.94)


def _name_columns(axes: Axes, grid: Grid) -> None:
    """Write the levels above the cells, one line per factor, each level once per group."""
    step, x = LINE / ROW, grid.x
    for depth, factor in enumerate(grid.factors):
        line = -0.5 - step * (len(grid.factors) - depth - 0.5)
        axes.text(-0.75, line, factor.label, size=style.SMALL, color=style.GREY, ha="right", va="center")
        for first, last in style.groups(grid.columns, depth + 1):
            level, middle = text(grid.columns[first][depth]), (x[first] + x[last]) / 2
            axes.text(middle, line, level, size=style.SMALL, ha="center", va="center")
            if last > first:
                under = line + 0.5 * step
                axes.plot([x[first] - 0.42, x[last] + 0.42], [under, under], color=style.GREY, linewidth=0.6)


def _name_rows(axes: Axes, grid: Grid) -> None:
    """Write the backbones left of the cells, and, if there are several, their tasks at the very left."""
    for (task, backbone), y in zip(grid.backbones, grid.y, strict=True):
        axes.text(-0.75, y, short_backbone(backbone, task), size=style.SMALL, ha="right", va="center")
    runs, far = style.groups(grid.backbones, 1), -0.5 - (LEFT - 0.3) / grid.unit
    for first, last in runs if len(runs) > 1 else []:
        middle = (grid.y[first] + grid.y[last]) / 2
        axes.text(far, middle, grid.backbones[first][0], rotation=90, ha="right", va="center")
        ends = [grid.y[first] - 0.45, grid.y[last] + 0.45]
        axes.plot([far + 0.08 / grid.unit] * 2, ends, color=style.GREY, linewidth=0.6, clip_on=False)

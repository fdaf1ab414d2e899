"""Figures: drawn without warnings, labelled, the same bytes each time, small enough for a README."""

from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from fake_zoo import make_table
from matplotlib.figure import Figure

from vitzoo.analysis.figures import FIGURES, grid, save, write
from vitzoo.errors import InputError

NAMES = sorted(FIGURES)
LIMIT = 300_000  # bytes of a figure


def words(figure: Figure) -> str:
    """All text in a figure."""
    return "\n".join(found.get_text() for found in figure.findobj(mpl.text.Text))  # pyright: ignore


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return make_table()


@pytest.mark.parametrize("name", NAMES)
def test_labels_units_and_n(name: str, table: pd.DataFrame) -> None:
    text = words(FIGURES[name](table, "little"))
    assert "little" in text
    assert "n = 72" in text
    assert "test accuracy (%)" in text


def test_grid_shows_every_cell_and_level(table: pd.DataFrame) -> None:
    figure = grid.draw(table, "little")
    text = words(figure).splitlines()
    assert sum(word.isdigit() and len(word) == 2 and word != "42" for word in text) >= 60  # the accuracies
    for label in ("optimizer", "learning rate", "head", "fine-tuning seed", "adamw", "3e-3", "mlp", "contrastive"):
        assert label in text
    assert "seed 6312, batch 64" in text


def test_grid_marks_what_is_missing(table: pd.DataFrame) -> None:
    assert "hatched" not in words(grid.draw(table, "little"))
    less = table[table["member"] != table["member"].iloc[0]]
    assert "1 missing or unfinished (hatched)" in words(grid.draw(less, "little"))


def test_curves_have_a_panel_per_task_and_optimizer(table: pd.DataFrame) -> None:
    figure = FIGURES["curves"](table, "little")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        *("supervised · adamw (n = 24)", "contrastive · adamw (n = 12)"),
        *("supervised · sgd (n = 24)", "contrastive · sgd (n = 12)"),
    ]
    mean = figure.axes[0].lines[0]  # the lowest learning rate
    chosen = table.query("parent_task == 'supervised' and optimizer == 'adamw' and lr == 1e-4")
    expected = 100 * chosen.groupby("epoch")["test_acc"].mean().to_numpy()
    np.testing.assert_allclose(np.asarray(mean.get_ydata(), float), expected)


def test_factors_show_every_member_once_per_factor(table: pd.DataFrame) -> None:
    axes = FIGURES["factors"](table, "little").axes[0]
    dots = [line for line in axes.lines if line.get_alpha() == 0.5]
    assert len(dots) == 2 + 3 + 2 + 3 + 2 + 2
    assert sum(len(np.asarray(line.get_xdata())) for line in dots) == 6 * 72


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_same_table_same_bytes(tmp_path: Path, table: pd.DataFrame, suffix: str) -> None:
    first = write(table, "little", tmp_path / "a", suffix)
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": "other", "axes.grid": True}):  # the user's own settings
        second = write(table, "little", tmp_path / "b", suffix)
    assert [path.name for path in first] == [path.name for path in second]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size < LIMIT


def test_svg_is_as_wide_as_a_readme_and_has_no_date(tmp_path: Path, table: pd.DataFrame) -> None:
    for path in write(table, "little", tmp_path):
        root = ElementTree.fromstring(path.read_text())
        assert root.attrib["width"] == "675pt"  # 900 pixels
        assert "date" not in path.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_little_zoos_are_drawn(tmp_path: Path, table: pd.DataFrame, name: str) -> None:
    """One member, one value, one epoch, one task: nothing varies, and nothing warns."""
    one = table[table["member"] == table["member"].iloc[0]]
    cases = [one, one[one["is_last"]], table.assign(test_acc=0.5), table[table["parent_task"] == "supervised"]]
    for case in cases:
        save(FIGURES[name](case, "little"), tmp_path / "figure.svg")


@pytest.mark.parametrize("name", NAMES)
def test_large_zoos_stay_small_on_disk(tmp_path: Path, table: pd.DataFrame, name: str) -> None:
    copies = [
        table.assign(
            member=table["member"] + f"-{i}",
            parent_member=table["parent_member"] + f"-{i}",
            parent_seed=table["parent_seed"] + 10_000 * i,
        )
        for i in range(9)
    ]
    save(FIGURES[name](pd.concat(copies), "large"), tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").stat().st_size < LIMIT


@pytest.mark.parametrize("name", NAMES)
def test_empty_zoos_are_refused(table: pd.DataFrame, name: str) -> None:
    with pytest.raises(InputError):
        FIGURES[name](table[:0], "little")

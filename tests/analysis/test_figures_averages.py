"""The figures of averages: what they say, that they are the same every time, and that little studies are drawn."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_averages import LAST, make_averages

from vitzoo.analysis.figures import AVERAGED, save
from vitzoo.analysis.figures.gains import positive
from vitzoo.analysis.figures.soups import order
from vitzoo.errors import InputError
from vitzoo.merging.study.averages import Averages


@pytest.fixture(scope="module")
def a() -> Averages:
    return make_averages()


def words(figure: object) -> str:
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", AVERAGED)
def test_same_numbers_same_bytes(a: Averages, name: str, tmp_path: Path) -> None:
    for file in ("a.svg", "b.svg"):
        save(AVERAGED[name](a), tmp_path / file)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.svg").stat().st_size < 400_000


def test_points_are_gains(a: Averages) -> None:
    figure = AVERAGED["averages"](a)
    assert "n = 40 fine-tuned members" in figure.get_label()
    for panel, column in zip(figure.axes, ("best", "mean"), strict=False):
        points = np.concatenate([np.asarray(dots.get_offsets()) for dots in panel.collections])
        expected = 100 * np.stack([a.members[column], a.members["average"] - a.members[column]], axis=1)
        assert np.allclose(points[np.lexsort(points.T)], expected[np.lexsort(expected.T)])
        assert positive(a.members["average"] - a.members[column]) in panel.get_title(loc="left")


def test_soups_are_ordered_by_what_they_gain(a: Averages) -> None:
    assert order(a.soups)[0] == "seed"
    said = words(AVERAGED["soups"](a))
    assert "fine-tuning seed\nsoups of 2" in said and "learning rate" in said
    assert "10 of 20 above zero (50 %)" in said and "0 of 20 above zero (0 %)" in said


def test_lines_are_means_over_members(a: Averages) -> None:
    left, right = AVERAGED["windows"](a).axes[:2]
    by_epoch = a.windows.groupby("epoch")
    expected = {
        left: [100 * by_epoch["plain"].mean(), 100 * by_epoch["average"].mean().dropna()],
        right: [100 * (by_epoch["average"].mean() - by_epoch["plain"].mean()).dropna()],
    }
    for panel, lines in expected.items():
        drawn = [line for line in panel.lines if line.get_marker() in ("o", "s")]
        for line, wanted in zip(drawn, lines, strict=True):
            assert np.allclose(line.get_ydata(), wanted) and line.get_xdata().tolist() == wanted.index.tolist()


def test_little_studies_are_drawn(a: Averages, tmp_path: Path) -> None:
    one = a.members["member"].iloc[0]
    little = replace(
        a,
        members=a.members[a.members["member"] == one].assign(gap=np.nan),
        soups=a.soups.iloc[:1].assign(factor="random_erasing"),
        windows=a.windows[(a.windows["member"] == one) & (a.windows["epoch"] <= LAST)],
    )
    said = ""
    for name, draw in AVERAGED.items():
        figure = draw(little)
        save(figure, tmp_path / f"{name}.png")
        said += words(figure)
    assert "gap not recorded" in said and "random erasing" in said


def test_names_are_no_formulas(a: Averages) -> None:
    hostile = replace(a, zoo=r"$x^{$ <b>&", members=a.members.replace({"optimizer": {"sgd": r"$\frac{"}}))
    for draw in AVERAGED.values():
        save_to = io.BytesIO()
        draw(hostile).savefig(save_to, format="png", dpi=20)
        assert save_to.getbuffer().nbytes > 0


def test_nothing_to_draw_is_said(a: Averages) -> None:
    nothing = replace(a, members=a.members.iloc[:0], soups=a.soups.iloc[:0], windows=a.windows.iloc[:0])
    for name, match in (("averages", "average of its last"), ("soups", "no soups"), ("windows", "keeps 3 checkpoints")):
        with pytest.raises(InputError, match=match):
            AVERAGED[name](nothing)

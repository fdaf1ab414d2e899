"""Figures of Measurements: labelled, true to the numbers, the same bytes each time, drawn whatever a zoo lacks."""

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from fake_measurements import make_measurements
from matplotlib.figure import Figure

from vitzoo.analysis.figures import FIGURES, MEASURED, embedding, lineage, save
from vitzoo.errors import InputError
from vitzoo.measures.measurements import Measurements

NAMES = sorted(MEASURED)
LIMIT = 600_000  # bytes of a figure
LABELS = {
    "gap": ("test accuracy (%)", "generalisation gap (pp)", "supervised (n = 96)", "n = 144 fine-tuned members"),
    "map": ("component 1 (", "% of variance)", "t-SNE 1 (no unit)", "6 backbones", "n = 150 members"),
    "distances": ("L2 distance between backbone weights (no unit)", "n = 150", "members, in the same order"),
    "agreement": ("agreement: equal predictions (%)", "n = 144", "members, in the same order"),
}


def words(figure: Figure) -> str:
    """All text in a figure."""
    return "\n".join(found.get_text() for found in figure.findobj(mpl.text.Text))  # pyright: ignore


def only(m: Measurements, keep: np.ndarray) -> Measurements:
    """The measurements of some members."""
    index = np.flatnonzero(keep)
    square = np.ix_(index, index)
    rows = m.members.iloc[index].reset_index(drop=True)
    return replace(m, members=rows, distances=m.distances[square], agreement=m.agreement[square], kappa=m.kappa[square])


@pytest.fixture(scope="module")
def m() -> Measurements:
    return make_measurements()


@pytest.fixture(scope="module")
def small() -> Measurements:
    """Six backbones with four children each, which are drawn sooner."""
    return make_measurements((("linear",), ("adamw", "sgd"), (1e-3, 1e-4), (42,)))


@pytest.mark.parametrize("name", NAMES)
def test_labels_units_and_n(name: str, m: Measurements) -> None:
    text = words(MEASURED[name](m))
    assert "fake" in text
    for label in LABELS[name]:
        assert label in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_same_measurements_same_bytes(tmp_path: Path, small: Measurements, name: str, suffix: str) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    save(MEASURED[name](small), first)
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": "other", "image.cmap": "jet"}):  # the user's own settings
        save(MEASURED[name](small), second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < LIMIT


def test_lineage_puts_backbones_before_their_children(m: Measurements) -> None:
    shuffled = only(m, np.ones(len(m.members), bool))
    order = np.random.default_rng(0).permutation(len(m.members))
    shuffled = replace(shuffled, members=m.members.iloc[order].reset_index(drop=True))
    rows = lineage.ordered(shuffled)
    assert rows["parent_task"].tolist() == ["supervised"] * 100 + ["contrastive"] * 50
    for start in range(0, 150, 25):
        family = rows.iloc[start : start + 25]
        assert family["child"].tolist() == [False] + [True] * 24
        assert family["backbone"].nunique() == 1
        assert family["parent_member"].unique().tolist() == [family["member"].iloc[0]]
        assert family["optimizer"].tolist()[1:] == ["adamw"] * 12 + ["sgd"] * 12
        assert family["lr"].tolist()[1:13] == [1e-4] * 4 + [1e-3] * 4 + [3e-3] * 4
    assert sorted(rows.index) == list(range(150))
    assert rows["backbone"].iloc[0] == "supervised, seed 42, batch 32"


def test_lineage_names_backbones_without_children_and_children_without_backbone(m: Measurements) -> None:
    gone = m.members["member"].iloc[0]
    rows = lineage.ordered(only(m, (m.members["member"] != gone).to_numpy()))
    assert len(rows) == 149
    assert (rows["parent_member"] == gone).sum() == 24
    childless = lineage.ordered(only(m, (m.members["parent_member"] != gone).to_numpy()))
    assert "supervised, seed 42, batch 32" in set(childless["backbone"])


def test_gap_shows_every_member_once(m: Measurements) -> None:
    figure = MEASURED["gap"](m)
    points = [line.get_xydata() for axes in figure.axes for line in axes.lines if line.get_linestyle() == "None"]
    found = np.concatenate([np.asarray(xy) for xy in points])
    children = m.finetuned()
    expected = 100 * children[["test_acc", "gap"]].to_numpy()
    expected[:, 1] = 100 * (children["train_acc_clean"] - children["test_acc"])
    assert sorted(map(tuple, found.round(9))) == sorted(map(tuple, expected.round(9)))


def test_gap_that_was_not_recorded_is_said(m: Measurements) -> None:
    for rows in (m.members.drop(columns="train_acc_clean"), m.members.assign(train_acc_clean=np.nan)):
        with pytest.raises(InputError, match="no generalisation gap"):
            MEASURED["gap"](replace(m, members=rows))


def test_map_places_every_member_in_every_panel(m: Measurements) -> None:
    figure = MEASURED["map"](m)
    assert len(figure.axes) == 6  # PCA and t-SNE by task, optimizer and learning rate
    scores = embedding.classical_scaling(m.distances).scores[:, :2]
    for axes in figure.axes[:3]:
        points = np.concatenate([np.asarray(line.get_xydata()) for line in axes.lines[1:]])
        assert sorted(map(tuple, points.round(6))) == sorted(map(tuple, scores.round(6)))
    legends = [axes.get_legend() for axes in figure.axes[:3]]
    assert [found.get_title().get_text() for found in legends if found] == [
        "pre-training task",
        "optimizer",
        "learning rate",
    ]


def test_map_draws_lines_from_parents_to_children(m: Measurements) -> None:
    axes = MEASURED["map"](m).axes[0]
    edges = np.asarray(axes.lines[0].get_xydata()).reshape(-1, 3, 2)
    assert len(edges) == 144
    scores = embedding.classical_scaling(m.distances).scores[:, :2]
    place = dict(zip(m.members["member"], scores, strict=True))
    children = m.finetuned()
    expected = [(*place[p], *place[c]) for p, c in zip(children["parent_member"], children["member"], strict=True)]
    found = [tuple(edge[:2].ravel()) for edge in edges]
    np.testing.assert_allclose(sorted(found), sorted(expected), atol=1e-9)


def test_map_explains_its_numbers(m: Measurements) -> None:
    text = words(MEASURED["map"](m)).splitlines()
    assert "1 supervised, seed 42, batch 32" in text
    assert "6 contrastive, seed 2517, batch 128" in text


def test_matrices_are_in_the_order_of_lineage(m: Measurements) -> None:
    rows = lineage.ordered(m)
    picture = np.ma.filled(MEASURED["distances"](m).axes[0].images[0].get_array(), np.nan)
    expected = m.distances[np.ix_(rows.index, rows.index)]
    np.testing.assert_allclose(picture[~np.eye(150, dtype=bool)], expected[~np.eye(150, dtype=bool)])
    assert np.isnan(picture.diagonal()).all()
    children = rows.index[rows["child"]]
    picture = np.ma.filled(MEASURED["agreement"](m).axes[0].images[0].get_array(), np.nan)
    off = ~np.eye(144, dtype=bool)
    np.testing.assert_allclose(picture[off], 100 * m.agreement[np.ix_(children, children)][off])


def test_matrices_say_what_they_do_not_show(small: Measurements) -> None:
    distances, agreement = small.distances.copy(), small.agreement.copy()
    distances[:3], distances[:, :3] = np.nan, np.nan
    agreement[20:25], agreement[:, 20:25] = np.nan, np.nan
    np.fill_diagonal(agreement, 1.0)
    lacking = replace(small, distances=distances, agreement=agreement)
    assert "3 members of other shapes not shown" in words(MEASURED["distances"](lacking))
    assert "3 members of other shapes not shown" in words(MEASURED["map"](lacking))
    assert "5 members without predictions not shown" in words(MEASURED["agreement"](lacking))


def test_nothing_to_show_is_said(m: Measurements) -> None:
    unknown = np.full_like(m.distances, np.nan)
    for name, match in (
        ("map", "no map"),
        ("distances", "no matrix of distances"),
        ("agreement", "nothing to compare"),
    ):
        with pytest.raises(InputError, match=match):
            MEASURED[name](replace(m, distances=unknown, agreement=unknown))
    alike = replace(m, distances=np.zeros_like(m.distances))
    with pytest.raises(InputError, match="no matrix of distances"):
        MEASURED["distances"](alike)


CASES = {
    "one task": lambda rows: rows["task"].eq("supervised") & rows["parent_task"].isin(["supervised", None]),
    "one backbone": lambda rows: rows["member"].eq("supervised-42-32") | rows["parent_member"].eq("supervised-42-32"),
    "no backbones": lambda rows: rows["stage"].eq("finetuning"),
    "two members": lambda rows: rows["member"].isin(rows["member"].iloc[[6, 20]]),
    "one rate": lambda rows: rows["lr"].eq(1e-3),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_little_zoos_are_drawn(tmp_path: Path, small: Measurements, name: str, case: str) -> None:
    little = only(small, CASES[case](small.members).to_numpy(bool))
    save(MEASURED[name](little), tmp_path / "figure.svg")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_no_formulas(tmp_path: Path, small: Measurements, name: str) -> None:
    """Dollar signs start formulas in Matplotlib, and there are more letters than its font has."""
    rows = small.members.replace({"optimizer": {"sgd": r"$\frac{"}, "head": {"linear": "動物園"}})
    hostile = replace(small, members=rows, zoo=r"$x^{$ <b>&\n")
    save(MEASURED[name](hostile), tmp_path / "figure.svg")
    if name == "gap":
        save(FIGURES["factors"](rows, hostile.zoo), tmp_path / "figure.svg")


@pytest.mark.parametrize("name", ["map", "distances", "agreement"])
def test_large_zoos_stay_small_on_disk(
    tmp_path: Path, m: Measurements, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitzoo.analysis.figures.map.neighbours", lambda scores, family: scores[:, :2])
    copies = np.tile(np.arange(150), 6)
    many = only(m, np.ones(150, bool))
    square = np.ix_(copies, copies)
    rows = m.members.iloc[copies].reset_index(drop=True)
    copy = (rows.index // 150).astype(str)
    for column in ("member", "parent_member"):
        rows[column] = rows[column] + "-" + copy
    for column in ("sha256", "parent_sha256"):
        rows[column] = copy + rows[column].str[-5:]
    distances, agreement = m.distances[square] + 1.0, m.agreement[square]
    np.fill_diagonal(distances, 0.0)
    many = replace(many, members=rows, distances=distances, agreement=agreement)
    save(MEASURED[name](many), tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").stat().st_size < 2 * LIMIT


@pytest.mark.parametrize("name", NAMES)
def test_empty_zoos_are_refused(m: Measurements, name: str) -> None:
    with pytest.raises(InputError):
        MEASURED[name](only(m, np.zeros(150, bool)))

"""The figure of alignments shows the numbers it is given."""

from vitzoo.analysis.figures import save
from vitzoo.analysis.figures.merging import draw

SUMMARY = [
    {"set": kind, "method": method, "retained": retained, "sd": sd}
    for kind, method, retained, sd in (
        ("two supervised", "vanilla", -0.3, 0.1),
        ("two supervised", "learned", 1.0, 0.02),
        ("all of both", "vanilla", 0.0, None),
        ("all of both", "learned", 0.9, 0.01),
        ("three supervised", "learned", 0.5, 0.01),
    )
]
PATHS = {"vanilla": {"shares": [[1, 0], [0, 1], [0.5, 0.5]], "accuracy": [0.9, 0.8, 0.1]}}


def test_points_lie_where_the_numbers_say(tmp_path):
    figure = draw("x", SUMMARY, ("two supervised", "all of both"), PATHS)
    left, right = figure.axes
    found = sorted(float(line.get_xdata()[0]) for line in left.lines if line.get_marker() not in ("None", "", None))
    assert found == [-0.1, 0.0, 0.9, 1.0]  # what is below is drawn at the edge; sets that were not asked for are not
    assert [label.get_text() for label in left.get_yticklabels()] == ["vanilla", "learned"]
    (line,) = right.lines
    assert line.get_xdata().tolist() == [0, 0.5, 1] and line.get_ydata().tolist() == [90, 10, 80]
    for name in ("x.svg", "y.svg"):
        save(figure, tmp_path / name)
    assert (tmp_path / "x.svg").read_bytes() == (tmp_path / "y.svg").read_bytes()

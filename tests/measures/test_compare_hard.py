"""Comparing and relating members that are not as others: two epochs of one, collapsed ones, damaged ones."""

import json

import numpy as np
import pytest
from test_weights import spoil
from zoo_edits import edit_json, reopened, rewrite

from vitzoo.cli.main import main
from vitzoo.errors import IntegrityError
from vitzoo.measures.compare import compare
from vitzoo.measures.inference import Places
from vitzoo.measures.landscape.connectivity import Connection, End
from vitzoo.measures.landscape.curvature import CurvatureSetting, curvature
from vitzoo.measures.selection import select
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import CONFIG, WEIGHTS


@pytest.fixture
def places_by_environment(places: Places, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("VITZOO_CACHE", str(places.cache))
    monkeypatch.setenv("VITZOO_DATA", str(places.data))
    return places


def test_two_epochs_of_one_member(zoo: Zoo, places: Places) -> None:
    member = zoo.members("finetuning")[0]
    found = compare(zoo, member.checkpoint(0), member.checkpoint(3), places)
    assert found.distance is not None and found.distance > 0
    assert all(value < 0.9999 for value in found.similarity.values())


def test_a_child_and_its_parent_again_and_again(zoo: Zoo, places: Places) -> None:
    child = next(m for m in zoo.members("finetuning") if m.recipe["architecture"]["head"]["kind"] == "linear")
    assert child.parent is not None
    a, b = child.checkpoint(), child.parent.checkpoint()
    first, second, third = (compare(zoo, *pair, places) for pair in ((a, b), (a, b), (b, a)))
    assert first.distance == second.distance == pytest.approx(third.distance)


def test_collapsed_members_are_plain_json(
    zoo: Zoo, places_by_environment: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """A member with the same features for all images has no similarity to anybody."""
    a, b = zoo.members("finetuning")[:2]
    rewrite(a.checkpoint(), lambda tensors: {name: array * 0 for name, array in tensors.items()})
    zoo = reopened(zoo)
    assert main(["compare", str(zoo.path), a.name, b.name, "--json"]) == 0
    assert None in json.loads(capsys.readouterr().out)["similarity"].values()
    assert main(["compare", str(zoo.path), a.name, b.name]) == 0


def test_a_line_through_infinity_is_plain_json() -> None:
    nan, inf = float("nan"), float("inf")
    line = Connection(End("a", 1), End("b", 1), (0.0, 0.5, 1.0), (1.0, inf, 1.0), (0.5, nan, 0.5), inf, nan, "test")
    assert json.loads(json.dumps(line.plain(), allow_nan=False))["loss"] == [1.0, None, 1.0]


def test_nothing_that_could_be_compared_is_said(
    zoo: Zoo, places_by_environment: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    for member in zoo.members("pretraining"):
        spoil(member.checkpoint().path / WEIGHTS, "flipped")
    assert main(["similarity", str(zoo.path)]) == 4
    assert "No representation could be compared." in capsys.readouterr().out


def test_a_member_that_cannot_be_read_is_no_traceback(zoo: Zoo, places: Places) -> None:
    a, b = (member.checkpoint() for member in zoo.members("finetuning")[:2])
    edit_json(a.member.path / CONFIG, lambda config: config.update(id="?"))
    again = reopened(zoo)
    with pytest.raises(IntegrityError, match="vitzoo verify"):
        compare(again, again.member(a.member.name).checkpoint(), b, places)


def test_more_eigenvalues_than_parameters(zoo: Zoo, places: Places) -> None:
    found = curvature(select(zoo, where="stage = 'finetuning'"), places, CurvatureSetting(images=8, top=10**6))
    assert found.found == () and len(found.left_out) == 8
    assert all("parameters" in out.why for out in found.left_out)
    assert np.all([not out.damaged for out in found.left_out])

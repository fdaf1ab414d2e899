"""Reasons may be published: they name no directory of this machine."""

from pathlib import Path

import pytest
from test_weights import spoil
from zoo_edits import edit_config, reopened, rewrite

from vitzoo.errors import IntegrityError
from vitzoo.measures.collect import collect
from vitzoo.measures.inference import Places
from vitzoo.measures.landscape.curvature import CurvatureSetting, curvature
from vitzoo.measures.quantiles import quantiles
from vitzoo.measures.representation.similarity import similarity
from vitzoo.measures.selection import Selection, reason, select
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import MANIFEST, WEIGHTS


@pytest.fixture
def broken(zoo: Zoo) -> Zoo:
    """A zoo in which everything that can be wrong with a member is wrong with one."""
    children = zoo.members("finetuning")
    for child, damage in zip(children, ("cut", "flipped", "gone"), strict=False):
        spoil(child.checkpoint().path / WEIGHTS, damage)
    (children[3].checkpoint().path / MANIFEST).write_text("{")
    rewrite(children[4].checkpoint(), lambda tensors: {"a": tensors["norm.bias"]})
    edit_config(children[5], lambda recipe: recipe["hyperparameters"].update(lr=-1))
    (children[6].path / "config.json").write_text("[]")
    (zoo.members("pretraining")[0].path / "config.json").unlink()
    return reopened(zoo)


@pytest.mark.parametrize("relative", [False, True])
def test_reasons_name_no_directory(
    broken: Zoo, places: Places, relative: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = str(broken.path)
    if relative:
        monkeypatch.chdir(broken.path.parent)
        broken = Zoo.open(broken.path.name)
    m, selection = collect(broken, places), select(broken)
    supervised = Selection(broken, [row for row in selection.rows if row["stage"] == "finetuning"], [])
    found = [*m.left_out, *quantiles(selection).left_out, *similarity(supervised, places).left_out]
    found += curvature(supervised, places, CurvatureSetting(images=8, top=1, probes=2)).left_out
    assert len({out.what for out in found}) == 8
    for out in found:
        assert where not in out.why and not out.why.startswith("zoo/")
        assert "/tmp" not in out.why and str(places.data) not in out.why
    assert any(out.why.startswith("finetuning/") for out in m.left_out)
    assert len(m.members) == 2


def test_reasons_for_missing_data_name_the_variable(zoo: Zoo, places: Places) -> None:
    for member in zoo.members():
        edit_config(member, lambda recipe: recipe["dataset"].update(source="cifar10"))
    m = collect(reopened(zoo), places)
    assert m.left_out and all("$VITZOO_DATA/" in out.why and str(places.data) not in out.why for out in m.left_out)


@pytest.mark.parametrize(
    ("root", "text", "expected"),
    [
        ("/a/zoo", "/a/zoo/x is bad. Restore.", "x is bad. Restore"),
        ("/a/zoo", "/a/zoo2/x and /b/a/zoo/x and '/a/zoo/y'", "/a/zoo2/x and /b/a/zoo/x and 'y'"),
        ("/a/zoo", "/a/zoo cannot be read", ". cannot be read"),
        ("zoo", "zoo/x is bad; see vitzoo/x", "x is bad; see vitzoo/x"),
        (".", "x.y is bad. See z.", "x.y is bad. See z"),
        ("/a/b+c", "/a/b+c/x", "x"),
    ],
)
def test_paths_become_relative(root: str, text: str, expected: str, zoo: Zoo) -> None:
    zoo.path = Path(root)
    assert reason(IntegrityError(text), zoo) == expected

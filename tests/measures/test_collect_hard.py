"""From hard zoos to Measurements that tables, findings and figures can read."""

from collections.abc import Callable

import pytest
from pandas.api.types import is_float_dtype
from zoo_edits import edit_config, edit_json, reopened

from vitzoo.analysis.findings import evaluate
from vitzoo.analysis.tables import build
from vitzoo.measures.collect import collect
from vitzoo.measures.factors import OF_PARENT
from vitzoo.measures.inference import Places
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import CONFIG, MANIFEST


def a_word_for_a_number(zoo: Zoo) -> None:
    edit_config(zoo.members("finetuning")[0], lambda recipe: recipe["hyperparameters"].update(lr="fast"))


def a_word_in_a_backbone(zoo: Zoo) -> None:
    edit_config(zoo.members("pretraining")[0], lambda recipe: recipe["hyperparameters"].update(lr="fast", seed="x"))


def lists_in_all_backbones(zoo: Zoo) -> None:
    for backbone in zoo.members("pretraining"):
        edit_config(backbone, lambda recipe: recipe["hyperparameters"].update(task=["x"]))
        edit_config(backbone, lambda recipe: recipe["dataset"].update(source=["y"]))


def no_backbone(zoo: Zoo) -> None:
    for backbone in zoo.members("pretraining"):
        (backbone.path / CONFIG).unlink()


def no_first_checkpoint(zoo: Zoo) -> None:
    (zoo.members("finetuning")[0].checkpoint(0).path / MANIFEST).unlink()


def another_parent_in_the_manifest(zoo: Zoo) -> None:
    child = zoo.members("finetuning")[0]
    other = next(backbone for backbone in zoo.members("pretraining") if backbone.name != child.path.parent.name)
    edge = {"member": other.name, "epoch": 2, "sha256": other.checkpoint().sha256}
    edit_json(child.checkpoint(0).path / MANIFEST, lambda manifest: manifest.update(parent=edge))


CASES = [
    (a_word_for_a_number, 9, 0),
    (a_word_in_a_backbone, 9, 4),
    (lists_in_all_backbones, 8, 8),
    (no_backbone, 8, 8),
    (no_first_checkpoint, 10, 0),
    (another_parent_in_the_manifest, 10, 0),
]


@pytest.mark.parametrize(("damage", "members", "orphans"), CASES)
def test_hard_zoos_are_analysed(
    zoo: Zoo, places: Places, damage: Callable[[Zoo], None], members: int, orphans: int
) -> None:
    names = {member.name: member.path.parent.name for member in zoo.members("finetuning")}
    damage(zoo)
    m = collect(reopened(zoo), places)
    assert len(m.members) == members
    assert is_float_dtype(m.members["lr"]) and set(OF_PARENT) <= set(m.members)
    children = m.finetuned()
    assert children["parent_task"].isna().sum() == orphans
    assert (children["parent_member"] == children["member"].map(names)).all()
    unknown = damage in (no_backbone, no_first_checkpoint, another_parent_in_the_manifest)
    assert children["l2_distance"].isna().sum() == ((1 if damage is not no_backbone else 8) if unknown else 0)
    assert build(m, None) and evaluate(m)

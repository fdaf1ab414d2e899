"""Merging members of a zoo grown for the test: what is chosen, refused, judged, saved and read again."""

import json
import shutil

import numpy as np
import pytest
import torch
from little_ground import outputs
from little_grow import FIXED, TEXT, vitzoo

from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures.inference import Places, read_row, recipe_of, split_of
from vitzoo.measures.predictions import predict
from vitzoo.measures.scoring import Ground
from vitzoo.measures.selection import select
from vitzoo.merging import average
from vitzoo.merging.ingredients import choose
from vitzoo.merging.methods import METHODS
from vitzoo.merging.models import merge, store
from vitzoo.merging.save import reference, save
from vitzoo.model.layout import Layout
from vitzoo.zoo import Zoo, safetensors_io, verify
from vitzoo.zoo.layout import MANIFEST, WEIGHTS


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """Two backbones, eight fine-tuned members with epochs 0, 2 and 3, all on 128 of the digits."""
    folder = tmp_path_factory.mktemp("grown")
    (folder / "little.yaml").write_text(TEXT)
    vitzoo(folder / "cache", "grow", folder / "little.yaml", "--zoo", folder / "zoo", *FIXED, "--workers", "1")
    return folder / "zoo"


@pytest.fixture
def zoo(grown, tmp_path):
    return Zoo.open(shutil.copytree(grown, tmp_path / "zoo"))


@pytest.fixture(scope="module")
def places(grown):
    return Places(grown.parent / "data", grown.parent / "cache")


@pytest.fixture
def family(zoo):
    """Members with a linear head that were fine-tuned from one backbone, and the condition that chooses them."""
    parent = zoo.members("pretraining")[0]
    members = [m for m in parent.children() if m.recipe["architecture"]["head"]["kind"] == "linear"]
    assert len(members) == 2
    return members, f"parent_member = '{parent.name}' AND head = 'linear'"


def row_of(member, epoch=None):
    return read_row(member.checkpoint(epoch), Layout.of(recipe_of(member).architecture))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_makes_a_member(zoo, places, family, method):
    members, where = family
    along = METHODS[method].trajectory
    settings = {"k": 2} if method == "last" else {"window": 2} if method == "trailing" else {}
    chosen = {"members": [members[0].name]} if along else {"where": where}
    found = merge(zoo, places, method, **chosen, settings=settings)
    saved = store(zoo, found)
    assert verify(zoo, deep=True).ok
    (row,) = [row for row in select(Zoo.open(zoo.path)).rows if row["stage"] == "merging"]
    assert (row["member"], row["method"]) == (saved.name, method)
    again = predict(select(zoo, where="stage = 'merging'"), places).found[saved.name, 0]
    assert row["test_acc"] == pytest.approx(again.accuracy) and row["test_loss"] == pytest.approx(again.loss, rel=1e-5)
    torch.testing.assert_close(row_of(saved), found.model, rtol=0, atol=0)
    expected = {(m.name, 3) for m in members} if not along else {(members[0].name, epoch) for epoch in (2, 3)}
    made_of = {(one["member"], one["epoch"]) for one in saved.merge["ingredients"]}
    assert made_of == expected or (method == "greedy" and made_of < expected)
    assert (saved.merge["parent"] is not None) == METHODS[method].parent
    before = {path: path.stat().st_mtime_ns for path in saved.path.rglob("*")}
    assert store(zoo, found).name == saved.name
    assert {path: path.stat().st_mtime_ns for path in saved.path.rglob("*") if path.is_file()}.items() <= before.items()


def test_the_merged_model_opens_in_timm(zoo, places, family):
    members, where = family
    found = merge(zoo, places, "uniform", where=where)
    saved = store(zoo, found, "soup")
    recipe = recipe_of(saved)
    images = places.images(recipe)
    ground = Ground(recipe, images.classes, split_of(images, "test"))
    x = torch.cat(list(prepared(ground)))
    with torch.no_grad():
        said = Zoo.open(zoo.path).checkpoint("soup").to_timm()(x)
    torch.testing.assert_close(said, outputs(found.model, ground), rtol=1e-4, atol=1e-4)
    labels = torch.from_numpy(np.array(images.y_test))
    assert float((said.argmax(1) == labels).double().mean()) == pytest.approx(found.accuracy)
    torch.testing.assert_close(found.model, average.uniform(torch.stack([row_of(m) for m in members])))
    own = [float((outputs(row_of(m), ground).argmax(1) == labels).double().mean()) for m in members]
    assert [one.accuracy for one in found.ingredients] == pytest.approx(own)
    assert found.mean == pytest.approx(np.mean(own)) and found.best.accuracy == max(own)


def prepared(ground):
    from vitzoo.measures.inference import batches

    for images, _ in batches(ground.recipe, ground.classes, ground.split, 64):
        yield images[0]


def test_choosing_uses_images_that_nobody_saw(zoo, places, family):
    found = merge(zoo, places, "greedy", where=family[1], settings={"images": 500})
    assert any("500 training images that no model was trained on" in note for note in found.notes)
    assert found.settings == {"images": 500}


def test_what_is_chosen(zoo, family):
    members, where = family
    names = [m.name for m in members]
    assert [(c.member.name, c.epoch) for c in choose(zoo, "uniform", names).checkpoints] == [(n, 3) for n in names]
    assert [c.epoch for c in choose(zoo, "uniform", [f"{names[0]}@2", names[0]]).checkpoints] == [2, 3]
    assert {c.member.name for c in choose(zoo, "uniform", where=where).checkpoints} == set(names)
    assert len(choose(zoo, "uniform", where=f"({where}) AND epoch >= 2").checkpoints) == 4
    assert [c.epoch for c in choose(zoo, "ema", names[:1]).checkpoints] == [2, 3]
    assert [c.epoch for c in choose(zoo, "ema", where=f"member = '{names[0]}'").checkpoints] == [2, 3]


def test_a_merge_does_not_choose_merges(zoo, places, family):
    """Otherwise the same command would give something else the second time."""
    _, where = family
    where = f"({where}) OR stage = 'merging'"
    first = store(zoo, merge(zoo, places, "uniform", where=where))
    assert store(zoo, merge(zoo, places, "uniform", where=where)).name == first.name
    named = merge(zoo, places, "uniform", [first.name, family[0][0].name])
    assert store(zoo, named, "second").merge["ingredients"][0]["member"] == first.name
    assert verify(zoo, deep=True).ok
    assert recipe_of(zoo.member("second")) == recipe_of(family[0][0])


def refused(zoo, places, method, *members, where=None, error=InputError, **settings):
    with pytest.raises(error) as raised:
        merge(zoo, places, method, members, where, settings)
    return str(raised.value)


def test_bad_input_is_one_error_that_says_what_would_do(zoo, places, family):
    (a, b), where = family
    other = zoo.members("pretraining")[1].children()
    linear = next(m for m in other if m.recipe["architecture"]["head"]["kind"] == "linear")
    mlp = next(m for m in other if m.recipe["architecture"]["head"]["kind"] == "mlp")
    backbones = [m.name for m in zoo.members("pretraining")]
    text = refused(zoo, places, "uniform", linear.name, mlp.name)
    assert "head.kind is linear or mlp" in text and "one architecture, head" in text
    text = refused(zoo, places, "uniform", a.name)
    assert "at least 2 models" in text and "'ema'" in text and "'interpolate'" in text
    text = refused(zoo, places, "ties", a.name, linear.name)
    assert "descend from 2" in text and "'greedy'" in text and "`vitzoo merge across`" in text
    text = refused(zoo, places, "model-stock", a.name, next(n for n in backbones if n.startswith("sl")))
    assert "head.outputs" in text or "was not" in text
    text = refused(zoo, places, "last", a.name, b.name)
    assert "epochs of one member, but 2 were chosen" in text and "'uniform'" in text
    assert "is contrastive" in refused(zoo, places, "uniform", *backbones)
    assert "2 are kept up to epoch 3" in refused(zoo, places, "last", a.name, k=5)
    assert "named twice" in refused(zoo, places, "uniform", a.name, a.name)
    assert "Say what is to be merged" in refused(zoo, places, "uniform")
    assert "Say what is to be merged" in refused(zoo, places, "uniform", a.name, where=where)
    assert "no finished member where" in refused(zoo, places, "uniform", where="lr > 99")
    assert "no column 'optimiser'" in refused(zoo, places, "uniform", where="optimiser = 'sgd'")
    assert "no checkpoint of epoch 1" in refused(zoo, places, "uniform", f"{a.name}@1", b.name)
    assert "names no checkpoint" in refused(zoo, places, "uniform", f"{a.name}@last", b.name)


def test_members_of_several_trees_are_merged_with_a_warning(zoo, places):
    """Backbones: they differ in outputs, so their children."""
    heads = [m for m in zoo.members("finetuning") if m.recipe["architecture"]["head"]["kind"] == "linear"]
    found = merge(zoo, places, "uniform", [m.name for m in heads])
    assert any("2 trees" in note and "`vitzoo merge across`" in note for note in found.notes)


def test_what_a_reader_should_know_of_the_choice(zoo, places, family):
    (a, b), _ = family
    both = [f"{a.name}@3", f"{a.name}@0", b.name]
    for settings in ({"images": 20}, {"images": 1000}):
        found = merge(zoo, places, "greedy", both, settings=settings)
        assert any("left alone" in note for note in found.notes) == (len(found.merged) == 1)
    shutil.rmtree(a.checkpoint(3).path)
    path = a.path / "result.json"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    found = merge(Zoo.open(zoo.path), places, "uniform", [a.name, b.name])
    assert found.notes == [f"{a.name} is growing, not finished."]
    assert [one.epoch for one in found.ingredients] == [2, 3]


def test_a_pre_trained_member_has_no_parent(zoo, places):
    name = next(m.name for m in zoo.members("pretraining") if m.name.startswith("sl"))
    text = refused(zoo, places, "interpolate", name)
    assert f"which {name} was not" in text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(zoo, places, family, value):
    (a, b), _ = family
    checkpoint = a.checkpoint()
    tensors = {name: array.copy() for name, array in checkpoint.tensors().items()}
    tensors["norm.bias"][0] = value
    (checkpoint.path / WEIGHTS).unlink()
    sha256, size = safetensors_io.write(checkpoint.path / WEIGHTS, tensors)
    manifest = json.loads((checkpoint.path / MANIFEST).read_text())
    manifest["files"][WEIGHTS] = {"sha256": sha256, "size": size}
    (checkpoint.path / MANIFEST).write_text(json.dumps(manifest))
    again = Zoo.open(zoo.path)
    text = refused(again, places, "uniform", a.name, b.name, error=IntegrityError)
    assert "not finite" in text and "choose models without it" in text


def test_what_others_merge_is_saved_the_same_way(zoo, places, family):
    """Models of several trees, under the name of a method that is none of these."""
    heads = [m for m in zoo.members("finetuning") if m.recipe["architecture"]["head"]["kind"] == "linear"]
    layout = Layout.of(recipe_of(heads[0]).architecture)
    made = average.uniform(torch.stack([row_of(m) for m in heads]))
    of = [reference(m.checkpoint()) for m in heads]
    saved = save(zoo, layout.views(made), "across/learned", {"images": 500}, of, {"test_acc": 0.1, "test_loss": 2.0})
    assert saved.name.startswith("merge_across-learned_4-") and saved.merge["method"] == "across/learned"
    assert verify(zoo, deep=True).ok
    with pytest.raises(InputError, match="in the zoo already, as 'merge_across-learned"):
        save(zoo, layout.views(made), "across/learned", {"images": 500}, of, {"test_acc": 0.1}, name="other")
    with pytest.raises(IntegrityError, match=r"another config\.json"):
        save(zoo, layout.views(made), "across/other", {}, of, {"test_acc": 0.1}, name=saved.name)
    with pytest.raises(InputError, match="cannot be the name"):
        save(zoo, layout.views(made), "across/other", {}, of, {"test_acc": 0.1}, name="../x")
    with pytest.raises(InputError, match="no merge that can be stored"):
        save(zoo, layout.views(made), "Across", {}, of, {"test_acc": 0.1})

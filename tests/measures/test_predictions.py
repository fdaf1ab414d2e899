"""Predictions: against timm, against what was recorded, from the cache, and when images change or are missing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_weights import spoil

from vitzoo.data.images import Images
from vitzoo.measures import inference, predictions
from vitzoo.measures.cache import ABOUT, Cache
from vitzoo.measures.inference import Places, batches, recipe_of, split_of
from vitzoo.measures.predictions import predict
from vitzoo.measures.selection import select
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import MEASURES, WEIGHTS


@pytest.mark.parametrize("split", ["test", "train"])
def test_against_timm(zoo: Zoo, places: Places, split: str) -> None:
    selection = select(zoo, where="task = 'supervised'")
    found = predict(selection, places, split)
    assert found.computed == len(selection.rows) == 9
    for row in selection.rows:
        recipe = recipe_of(zoo.member(row["member"]))
        images = places.images(recipe)
        labels = torch.from_numpy(np.array(images.y_test if split == "test" else images.y_train))
        model = selection.checkpoint(row).to_timm()
        with torch.no_grad():
            outputs = torch.cat([model(x[0]) for x, _ in batches(recipe, 10, split_of(images, split), 50)])
        one = found.found[row["member"], row["epoch"]]
        assert one.classes is not None
        assert (one.classes == outputs.argmax(1).numpy()).mean() > 0.995
        assert one.accuracy == pytest.approx((one.classes == labels.numpy()).mean())
        assert one.loss == pytest.approx(float(torch.nn.functional.cross_entropy(outputs, labels)), rel=1e-5)


def test_agrees_with_what_was_recorded(zoo: Zoo, places: Places) -> None:
    """The zoo was grown in float32, so the measured values are the recorded ones, of contrastive members, too."""
    selection = select(zoo)
    found = predict(selection, places)
    for row in selection.rows:
        one = found.found[row["member"], row["epoch"]]
        assert one.accuracy == pytest.approx(row["test_acc"], abs=0.021)  # one of 50 images may tip over
        assert one.loss == pytest.approx(row["test_loss"], rel=1e-4)
        assert (one.classes is None) == (row["task"] == "contrastive")


def test_a_second_call_computes_nothing(zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    first = predict(select(zoo), places)
    monkeypatch.setattr(predictions, "read_row", None)
    second = predict(select(zoo), places)
    assert (first.computed, second.computed) == (10, 0)
    for key, one in first.found.items():
        again = second.found[key]
        assert (again.loss, again.accuracy, again.images) == (one.loss, one.accuracy, one.images)
        assert again.classes is None or (again.classes == one.classes).all()


def test_logits_are_kept(zoo: Zoo, places: Places) -> None:
    selection = select(zoo, where="stage = 'finetuning'")
    found = predict(selection, places)
    row = selection.rows[0]
    (about,) = {
        p.parent
        for p in (zoo.path / MEASURES).glob(f"predictions-v*/*/{ABOUT}")
        if list(p.parent.rglob(f"{row['sha256']}*"))
    }
    settings = json.loads((about / ABOUT).read_text())
    arrays = Cache(zoo, "predictions", predictions.VERSION, settings).get(row["sha256"], {"logits": (50, 10)})
    assert arrays is not None and arrays["logits"].dtype == np.float16 and arrays["logits"].max() == 0
    images = places.images(recipe_of(zoo.member(row["member"])))
    log_softmax = torch.from_numpy(arrays["logits"].astype("f8")).log_softmax(1).numpy()
    loss = -log_softmax[np.arange(50), images.y_test].mean()
    assert loss == pytest.approx(found.found[row["member"], row["epoch"]].loss, rel=1e-3)


def changed(images: Images) -> Images:
    return replace(images, x_test=images.x_test[::-1], fingerprint="f" * 64)


def test_changed_images_are_noticed(zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    before = predict(select(zoo), places)
    real = inference.load
    monkeypatch.setattr(inference, "load", lambda *a: changed(real(*a)))
    after = predict(select(zoo), places)
    assert after.computed == 10
    assert len(after.notes) == 1 and "'digits' have changed" in after.notes[0] and "ffffffff now" in after.notes[0]
    assert {one.images for one in after.found.values()}.isdisjoint(one.images for one in before.found.values())
    assert predict(select(zoo), places).notes == []  # said once: from now on these are the images


@pytest.fixture
def elsewhere(zoo: Zoo) -> Zoo:
    """The zoo as if it had been trained on a folder that this machine does not have."""
    for path in [*zoo.path.rglob("config.json")]:
        config = json.loads(path.read_text())
        config["recipe"]["dataset"] |= {"source": "folder:nowhere", "classes": 10}
        path.write_text(json.dumps(config))
    return Zoo.open(zoo.path)


def test_without_images_it_says_so(elsewhere: Zoo, places: Places) -> None:
    found = predict(select(elsewhere), places)
    assert found.found == {} and {out.damaged for out in found.left_out} == {False}
    assert sum(int(out.what.split()[2]) for out in found.left_out) == 10
    assert "nowhere" in found.left_out[0].why


def test_cached_predictions_do_without_images(
    elsewhere: Zoo, places: Places, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Places.images
    digits = recipe_of(elsewhere.members()[0]).dataset.model_copy(update={"source": "digits", "classes": None})
    with monkeypatch.context() as patched:
        patched.setattr(
            Places, "images", lambda self, recipe: real(self, recipe.model_copy(update={"dataset": digits}))
        )
        first = predict(select(elsewhere), places)
    second = predict(select(elsewhere), places)
    assert second.computed == 0 and second.left_out == []
    assert len(second.notes) == 1 and "not at hand" in second.notes[0]
    assert {key: one.loss for key, one in second.found.items()} == {key: one.loss for key, one in first.found.items()}


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_damaged_weights_are_left_out(zoo: Zoo, places: Places, damage: str) -> None:
    victim = zoo.members("finetuning")[1].checkpoint()
    spoil(victim.path / WEIGHTS, damage)
    found = predict(select(zoo), places)
    assert len(found.found) == 9
    assert [(out.what, out.damaged) for out in found.left_out] == [
        (f"{victim.member.name}, epoch {victim.epoch}", True)
    ]


def test_a_zoo_that_cannot_be_written_to_is_measured(zoo: Zoo, places: Places) -> None:
    (zoo.path / MEASURES).write_text("a file where caches would be")
    assert predict(select(zoo), places).computed == 10


def test_a_cache_that_is_damaged_is_computed_again(zoo: Zoo, places: Places) -> None:
    first = predict(select(zoo), places)
    files = list((zoo.path / MEASURES).rglob("*.safetensors"))
    for path in files:
        path.write_bytes(path.read_bytes()[:-3])
    again = predict(select(zoo), places)
    assert again.computed == 10
    assert {k: one.loss for k, one in again.found.items()} == pytest.approx(
        {k: one.loss for k, one in first.found.items()}
    )
    shutil.rmtree(zoo.path / MEASURES)
    assert predict(select(zoo), places).computed == 10

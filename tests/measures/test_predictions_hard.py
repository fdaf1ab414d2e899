"""Predicting in zoos that are not as the first one: strangers' configs and caches, other images, memory, interrupts."""

import shutil
import threading
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from zoo_edits import copy_weights, edit_config, edit_json, reopened, rewrite

from vitzoo.measures import inference, predictions
from vitzoo.measures.cache import Cache
from vitzoo.measures.collect import collect, trajectories
from vitzoo.measures.inference import Places, recipe_of, stack_size
from vitzoo.measures.landscape.curvature import curvature
from vitzoo.measures.outputs import BLOCK, describe
from vitzoo.measures.predictions import predict
from vitzoo.measures.selection import select
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import MANIFEST, MEASURES


@pytest.mark.parametrize(
    "change",
    [
        {"hyperparameters": {"lr": -1}},
        {"hyperparameters": {"optimizer": "lion"}},
        {"architecture": {"head": {"kind": "linear", "outputs": None, "hidden": None}}},
        {"augmentation": {"crop": {"kind": "random", "padding": 0, "resize": 4}}},
        {"dataset": {"source": "of a later version"}},
    ],
)
def test_a_config_that_vitzoo_does_not_run_is_left_out(zoo: Zoo, places: Places, change: dict) -> None:
    member = zoo.members("finetuning")[0]
    edit_config(member, lambda recipe: [recipe[group].update(fields) for group, fields in change.items()])
    m = collect(reopened(zoo), places)
    assert [(out.what, out.damaged) for out in m.left_out] == [(f"{member.name}, epoch 3", False)]
    assert "describes no model that vitzoo runs" in m.left_out[0].why or "resize" in m.left_out[0].why
    assert len(m.members) == 9 and np.isfinite(m.distances).all()


def test_images_of_more_classes_than_outputs_are_others(
    zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = inference.load
    monkeypatch.setattr(inference, "load", lambda *a: replace(real(*a), classes=11, y_test=real(*a).y_test + 1))
    found = predict(select(zoo, where="task = 'supervised'"), places)
    assert found.found == {}
    assert all("11 classes, but the model has 10 outputs" in out.why for out in found.left_out)
    with pytest.raises(inference.DataError, match="11 classes"):
        curvature(select(zoo, where="stage = 'finetuning'"), places)


def test_a_stack_is_bounded_by_memory(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_of(zoo.members("finetuning")[0])
    assert stack_size(recipe, 50, "cuda") == (1 << 20) // (32 * 5)
    assert stack_size(recipe, 50, "cuda", 1024) == (1 << 20) // (1024 * 5)
    head = recipe.architecture.head.model_copy(update={"outputs": 1000})
    wide = recipe.model_copy(update={"architecture": recipe.architecture.model_copy(update={"head": head})})
    assert (
        stack_size(wide, 50_000, "cuda")
        == (1 << 29) // (4 * 50_000 * 1000 + 4 * inference.Layout.of(wide.architecture).width)
        == 2
    )
    monkeypatch.setattr(inference, "MEMORY", 1)
    assert stack_size(recipe, 50, "cuda") == 1


def test_contrastive_stacks_hold_whole_batches(zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(predictions, "stack_size", lambda *a: asked.append(a[1:]) or 1)
    predict(select(zoo), places)
    assert sorted(asked) == [(50, "cpu", 32), (50, "cpu", 32), (50, "cpu", 64)]


def test_describing_many_logits_needs_little_more_memory_than_they_do() -> None:
    random = np.random.default_rng(0)
    outputs = random.normal(0, 5, (20_000, 500)).astype(np.float32)
    labels = random.integers(0, 500, 20_000)
    tracemalloc.start()
    kept = describe(outputs, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * outputs.nbytes + 5 * 8 * BLOCK  # what is kept in 16 bits, and a block in 64
    exact = -log_softmax(outputs.astype("f8"), axis=1)[np.arange(20_000), labels].mean()
    assert float(kept["loss"]) == pytest.approx(exact, rel=1e-12)
    assert (kept["classes"] == outputs.argmax(1)).all() and kept["classes"].dtype == np.uint16
    np.testing.assert_allclose(kept["logits"], outputs - outputs.max(1, keepdims=True), rtol=1e-3, atol=1e-2)


def test_logits_are_not_kept_in_memory(zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    real = predictions._Job.take
    monkeypatch.setattr(
        predictions._Job, "take", lambda self, rows, found: kept.extend(found) or real(self, rows, found)
    )
    predict(select(zoo), places)
    assert len(kept) == 10 and not any("logits" in one for one in kept)


def test_one_data_set_is_held_once(zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = predictions.split_of
    monkeypatch.setattr(predictions, "split_of", lambda *a: made.append(a) or real(*a))
    predict(select(zoo), places)
    assert len(made) == 1


def test_an_interrupt_does_not_wait_for_stacks(zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluating a large model takes minutes; a batch of it does not."""
    monkeypatch.setattr(predictions, "stack_size", lambda *_: 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    begun = threading.Event()

    def slow(params, recipe, classes, split, beat):
        begun.set()
        for _ in range(600):
            beat(1.0)
            time.sleep(0.05)
        raise AssertionError

    def fail(self: predictions._Job, *_: object) -> None:
        begun.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(predictions, "logits", slow)
    monkeypatch.setattr(predictions._Job, "take", fail)
    monkeypatch.setattr(predictions, "score", lambda *_: (torch.zeros(1), torch.zeros(1)))
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        predict(select(zoo), places)
    assert time.monotonic() - start < 5


def test_caches_that_a_stranger_wrote_are_not_believed(zoo: Zoo, places: Places) -> None:
    selection = select(zoo)
    first = predict(selection, places)
    row = next(row for row in selection.rows if row["stage"] == "finetuning")
    (path,) = (zoo.path / MEASURES).glob(f"predictions-v*/*/*/{row['sha256']}.safetensors")
    odd = (
        {"classes": np.zeros(7, np.uint8)},
        {"classes": np.full(50, 10, np.uint8)},
        {"classes": np.zeros(50, np.int8)},
        {"classes": np.zeros((50, 1), np.uint8)},
        {"loss": np.zeros(2)},
    )
    for arrays in odd:
        cache = Cache(zoo, "x", 1)
        cache.path = path.parent.parent
        cache.put(
            row["sha256"], {"loss": np.array(1.0), "accuracy": np.array(1.0), "classes": np.zeros(50, "u1")} | arrays
        )
        again = predict(select(zoo), places)
        assert again.computed == 1
        assert again.found[row["member"], 3].loss == pytest.approx(first.found[row["member"], 3].loss)


def test_weights_changed_behind_the_catalogue_are_not_taken_for_others(zoo: Zoo, places: Places) -> None:
    """The catalogue looks at the names and times of directories, and results are kept under the digests it gives."""
    member = zoo.members("finetuning")[0]
    stale = zoo.rows(f"member = '{member.name}' AND is_last")[0]["sha256"]
    sha256 = rewrite(member.checkpoint(), lambda tensors: tensors | {"norm.bias": tensors["norm.bias"] + 9})
    m = collect(zoo, places)
    if len(m.members) == 10:  # the catalogue is so young that it is made each time
        assert sha256 in set(m.members["sha256"])
    assert not list((zoo.path / MEASURES).rglob(f"{stale}*"))


def test_a_backbone_equal_to_its_child_has_no_parent(zoo: Zoo, places: Places) -> None:
    child = zoo.members("finetuning")[0]
    assert child.parent is not None
    last = child.parent.checkpoint()
    copy_weights(last, child.checkpoint())
    m = collect(reopened(zoo), places)
    assert m.pretrained()["l2_distance"].isna().all()


def test_equal_members_with_damage_are_measured(zoo: Zoo, places: Places) -> None:
    from test_weights import spoil

    children = zoo.members("finetuning")
    rows = zoo.rows("epoch = 0 AND stage = 'finetuning'")
    twins = [[row for row in rows if row["sha256"] == one["sha256"]] for one in rows]
    pair = next((twin for twin in twins if len(twin) > 1), None)
    if pair is None:
        copy_weights(children[0].checkpoint(0), children[1].checkpoint(0))
        pair = [{"member": child.name} for child in children[:2]]
    zoo = reopened(zoo)
    victim = zoo.member(pair[-1]["member"]).checkpoint(0)
    spoil(victim.path / "model.safetensors", "flipped")
    frame, left_out, _ = trajectories(zoo, places, [0])
    assert [out.what for out in left_out] == [f"{victim.member.name}, epoch 0"]
    assert len(frame) == 9


def test_nothing_to_measure(zoo: Zoo, places: Places, tmp_path: object) -> None:
    m = collect(zoo, places, where="seed = 99")
    assert len(m.members) == 0 and m.finetuned().empty and m.pretrained().empty
    assert m.distances.shape == m.agreement.shape == m.kappa.shape == (0, 0)
    assert m.refine("test_acc > 0.5").members.empty
    for stage in ("pretraining", "finetuning"):
        shutil.rmtree(zoo.path / stage)
        (zoo.path / stage).mkdir()
    assert collect(Zoo.open(zoo.path), places).finetuned().empty


def test_a_manifest_without_parent(zoo: Zoo, places: Places) -> None:
    child = zoo.members("finetuning")[0]
    edit_json(child.checkpoint(0).path / MANIFEST, lambda manifest: manifest.update(parent=None))
    m = collect(reopened(zoo), places)
    row = m.members[m.members["member"] == child.name].iloc[0]
    assert np.isnan(row["l2_distance"]) and len(m.members) == 10

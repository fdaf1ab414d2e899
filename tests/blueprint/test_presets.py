"""Every preset loads, has the paper's counts, and survives a round trip; `paper` is the paper."""

from collections import Counter

import pytest

from vitzoo.blueprint import PRESETS, expand, factors, load, parse, reader
from vitzoo.model.shapes import parameters


@pytest.mark.parametrize("name", PRESETS)
def test_counts(name: str) -> None:
    blueprint = load(name)
    pretraining, finetuning = expand(blueprint)
    everything = pretraining + finetuning
    assert blueprint.name == name
    assert (len(pretraining), len(finetuning)) == (10, 240)
    assert Counter(r.hyperparameters.task for r in pretraining) == {"supervised": 7, "contrastive": 3}
    assert set(Counter(r.parent for r in finetuning).values()) == {24}
    assert [r.parent for r in finetuning[::24]] == [r.id for r in pretraining]
    assert len({r.id for r in everything}) == len({r.name for r in everything}) == 250
    again = expand(parse(reader.read(blueprint.to_yaml())))
    assert [r.id for stage in again for r in stage] == [r.id for r in everything]


@pytest.mark.parametrize("name", ["paper", "released"])
def test_backbones_are_those_of_tables_7_and_8(name: str) -> None:
    found = [(h.task, h.seed, h.batch_size) for h in (recipe.hyperparameters for recipe in expand(load(name))[0])]
    supervised = [(42, 256), (6312, 256), (6312, 512), (1957, 512), (2517, 512), (3753, 512), (7853, 512)]
    contrastive = [(42, 96), (6312, 128), (2517, 128)]
    assert found == [("supervised", *pair) for pair in supervised] + [("contrastive", *pair) for pair in contrastive]


def test_paper_has_its_parameters_and_fields() -> None:
    pretraining, finetuning = expand(load("paper"))
    assert {parameters(r.architecture) for r in pretraining} == {22_050_664}
    assert Counter(parameters(r.architecture) for r in finetuning) == {21_704_164: 120, 21_789_924: 120}
    for recipe in (*pretraining, *finetuning):
        h = recipe.hyperparameters
        mixed = 0.0 if h.task == "contrastive" else 1.0
        assert (h.mixup, h.cutmix, h.label_smoothing, h.random_erasing, h.stochastic_depth) == (
            0.8 * mixed, 1.0 * mixed, 0.1 * mixed, 0.25 * mixed, 0.1,
        )  # fmt: skip
        assert h.schedule == "constant"
    assert {r.hyperparameters.momentum for r in finetuning if r.hyperparameters.optimizer == "sgd"} == {0.99}
    assert {r.hyperparameters.momentum for r in finetuning if r.hyperparameters.optimizer == "adamw"} == {0.0}


def test_the_tables_of_the_paper() -> None:
    """Tables 4 and 5 of the paper, in its own numbers."""
    stages = expand(load("paper"))
    rows = {row.name: (row.pretraining, row.finetuning) for row in factors.generating(*stages)}
    assert rows["Architecture"] == (("ViT-S/16 at 224",), ("linear head", "MLP-256 head"))
    assert rows["Dataset"] == (("imagenet",), ("cifar100",))
    assert rows["Task"] == (("supervised", "contrastive"), ("supervised",))
    assert rows["Learning rates"] == (("0.001",), ("0.003", "0.001", "0.0001"))
    assert rows["Weight decay"] == (("0.0001",), ("0",))
    assert rows["Optimiser"] == (("AdamW",), ("AdamW", "SGD (momentum 0.99)"))
    assert rows["Epochs"] == (("90",), ("50",))
    constants = {row.name: row.finetuning for row in factors.constants(*stages)}
    del constants["Augmentation"]
    assert constants == {
        "Stochastic depth": ("0.1",),
        "Label smoothing": ("0.1",),
        "CutMix": ("1",),
        "MixUp": ("0.8",),
        "Random erase": ("0.25",),
    }


def test_digits_are_never_mirrored() -> None:
    assert {r.augmentation.flip for r in expand(load("nano"))[1]} == {0.0}


@pytest.mark.parametrize("name", ["nano", "tiny-cifar"])
def test_small_presets_keep_trajectories(name: str) -> None:
    for stage in expand(load(name)):
        assert all(len(r.checkpoints.epochs(r.hyperparameters.epochs)) >= 5 for r in stage)

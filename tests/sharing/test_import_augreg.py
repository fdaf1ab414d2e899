"""AugReg's table and archives: members, lineage, factors, hybrids, hostile tables, and timm's logits."""

import itertools
import os
import time

import numpy as np
import pytest
import torch
from folder_trees import AUGREG_COLUMNS, AUGREG_VIT, augreg_rows, augreg_tree, write_csv
from timm.models.vision_transformer import VisionTransformer

import vitzoo
from vitzoo.cli.main import main
from vitzoo.errors import InputError
from vitzoo.sharing.importing.layouts import augreg, augreg_study, choose
from vitzoo.zoo.verification import verify

UPSTREAM = "Ti_16-i1k-300ep-lr_0.001-aug_medium1-wd_0.03-do_0.0-sd_0.1"
ADAPTED = f"{UPSTREAM}--cifar100-steps_10k-lr_0.01-res_224"


def touch(root, *names):
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / f"{name}.npz").write_bytes(b"")


def by_name(survey):
    return {found.name: found for found in survey.members}


def test_the_folder_is_recognised_before_it_is_taken_for_any_other(tmp_path):
    augreg_tree(tmp_path / "augreg")
    assert augreg.fits(tmp_path / "augreg")
    survey = choose.survey(tmp_path / "augreg")
    assert survey.layout == "augreg" and set(by_name(survey)) == {
        UPSTREAM,
        ADAPTED,
        f"{UPSTREAM}--kitti-steps_0k-lr_0.01-res_224",
    }


def test_what_the_table_says_of_a_model_and_of_its_adaptation(tmp_path):
    augreg_tree(tmp_path)
    found = by_name(augreg.survey(tmp_path))
    upstream, adapted = found[UPSTREAM], found[ADAPTED]
    assert (upstream.stage, list(upstream.checkpoints), upstream.parent) == ("pretraining", [300], None)
    images = {"mean": [0.5] * 3, "std": [0.5] * 3}
    assert upstream.recipe["dataset"] == {"source": "imagenet", **images}
    hyper = upstream.recipe["hyperparameters"]
    varied = {"epochs": 300, "lr": 0.001, "weight_decay": 0.03, "stochastic_depth": 0.1, "mixup": 0.2}
    assert varied.items() <= hyper.items()
    assert (hyper["batch_size"], hyper["optimizer"], hyper["schedule"], hyper["clip"]) == (4096, "adamw", "cosine", 1)
    assert upstream.metrics == {300: {"val_acc": 0.7, "test_acc": 0.68}}
    assert upstream.declared["best_val"] == 0.72 and "adapt_ds" not in upstream.declared
    assert any("RandAugment (2 layers, magnitude 15)" in note for note in upstream.notes)
    assert (adapted.stage, adapted.parent, adapted.parent_hint) == ("finetuning", upstream.key, UPSTREAM)
    assert adapted.recipe["dataset"] == {"source": "cifar100", **images}
    assert adapted.recipe["architecture"] == {"heads": 3}
    assert adapted.recipe["hyperparameters"]["lr"] == 0.01 and "epochs" not in adapted.recipe["hyperparameters"]
    assert adapted.metrics == {1: {"val_acc": 0.8, "test_acc": 0.79}} and adapted.declared["adapt_steps"] == 10_000
    assert "dataset" not in found[f"{UPSTREAM}--kitti-steps_0k-lr_0.01-res_224"].recipe  # no source a zoo knows


def test_levels_of_augmentation_rise_in_strength():
    """The paper's seven, in its order: MixUp, layers and magnitude of RandAugment never fall."""
    strengths = list(augreg_study.LEVELS.values())
    assert len(strengths) == 7 and strengths[0] == (0, 0, 0)
    for weaker, stronger in itertools.pairwise(strengths):
        assert all(a <= b for a, b in zip(weaker, stronger, strict=True)) and weaker != stronger


def test_hybrids_strangers_and_what_is_absent_are_told(tmp_path):
    augreg_tree(tmp_path)
    touch(tmp_path, "stranger")
    told = [str(line) for line in augreg.survey(tmp_path).unplaced]
    assert sum("is a hybrid of ResNet and ViT" in line for line in told) == 3
    assert "stranger.npz: is not in index.csv" in told
    assert "index.csv: names 6 models that are not in the folder, beside those that are" in told


def test_an_adaptation_without_the_model_it_began_with_keeps_a_hint(tmp_path):
    write_csv(tmp_path / "index.csv", augreg_rows())
    touch(tmp_path, ADAPTED)
    (member,) = augreg.survey(tmp_path).members
    assert (member.stage, member.parent, member.parent_hint) == ("finetuning", None, UPSTREAM)


def test_the_table_may_lie_above_or_elsewhere_and_archives_below(tmp_path):
    index = write_csv(tmp_path / "index.csv", augreg_rows())
    touch(tmp_path / "archives/ti", UPSTREAM)
    assert augreg.fits(tmp_path / "archives") and not augreg.fits(tmp_path / "archives/none")
    (member,) = augreg.survey(tmp_path / "archives").members
    assert member.key == f"ti/{UPSTREAM}.npz"
    index.rename(tmp_path / "elsewhere.csv")
    assert not augreg.fits(tmp_path / "archives")
    with pytest.raises(InputError, match=r"no index\.csv"):
        augreg.survey(tmp_path / "archives")
    assert len(augreg.survey(tmp_path / "archives", tmp_path / "elsewhere.csv").members) == 1


def test_odd_rows_are_told_and_lead_nowhere(tmp_path):
    rows = augreg_rows(("Ti/16",))
    rows.append(rows[0])
    rows.append(rows[0] | {"filename": "../secret", "adapt_filename": "/etc/passwd"})
    odd = {"filename": "odd", "adapt_filename": "odd2", "aug": "extreme", "do": 0.1, "lr": -1, "epochs": "many"}
    rows.append(rows[0] | odd)
    root = tmp_path / "root"
    touch(tmp_path, "secret")
    touch(root, UPSTREAM, ADAPTED, "odd")
    (root / "link.npz").symlink_to(tmp_path / "secret.npz")
    touch(root / "again", UPSTREAM)
    write_csv(root / "index.csv", rows)
    survey = augreg.survey(root)
    found = by_name(survey)
    assert set(found) == {UPSTREAM, ADAPTED, "odd"}
    assert list(found["odd"].checkpoints) == [1] and "lr" not in found["odd"].recipe["hyperparameters"]
    notes = " ".join(found["odd"].notes)
    assert "'extreme' is none of the paper's levels" in notes and "dropout is 0.1" in notes and "lr is -1" in notes
    told = "\n".join(map(str, survey.unplaced))
    assert "link.npz: is a symbolic link" in told and "has the same name as" in told
    assert "has several rows in index.csv; the first counts" in told


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda row: {name: row[name] for name in row if name != "wd"}, "no column 'wd'"),
        (lambda row: row | {"final_val": 400}, "neither shares nor percentages"),
    ],
)
def test_another_table_is_refused(tmp_path, change, because):
    write_csv(tmp_path / "index.csv", [change(row) for row in augreg_rows()])
    with pytest.raises(InputError, match=because):
        augreg.survey(tmp_path)


def test_a_pipe_is_no_table(tmp_path):
    os.mkfifo(tmp_path / "index.csv")
    began = time.monotonic()
    assert not augreg.fits(tmp_path)
    assert time.monotonic() - began < 1


def test_a_long_table_costs_no_more_than_reading_it(tmp_path):
    """A tenth of the published table, without its archives, in far less than a second."""
    row = dict.fromkeys(AUGREG_COLUMNS, 0.5) | {"name": "Ti/16", "aug": "none", "filename": UPSTREAM}
    write_csv(tmp_path / "index.csv", [row | {"adapt_filename": f"{UPSTREAM}--{n}"} for n in range(5_000)])
    touch(tmp_path, UPSTREAM)
    began = time.process_time()
    survey = augreg.survey(tmp_path)
    assert time.process_time() - began < 2
    assert len(survey.members) == 1 and "names 5,000 models" in str(survey.unplaced[0])


def test_imported_archives_give_the_logits_of_timms_loader(tmp_path):
    arrays = augreg_tree(tmp_path / "augreg")
    for path in (tmp_path / "augreg").glob("R26*"):
        path.unlink()
    assert main(["import", str(tmp_path / "augreg"), "--zoo", str(tmp_path / "zoo"), "--licence", "apache-2.0"]) == 0
    zoo = vitzoo.open(tmp_path / "zoo")
    assert verify(zoo, deep=True).findings == []
    images = torch.randn(8, 3, AUGREG_VIT["image"], AUGREG_VIT["image"])
    for member in zoo.members():
        name = member.imported["name"]
        model = VisionTransformer(
            img_size=AUGREG_VIT["image"],
            patch_size=AUGREG_VIT["patch"],
            embed_dim=AUGREG_VIT["dim"],
            depth=AUGREG_VIT["depth"],
            num_heads=AUGREG_VIT["heads"],
            num_classes=len(arrays[name]["head/bias"]),
        ).eval()
        model.load_pretrained(str(tmp_path / "augreg" / f"{name}.npz"))
        with torch.no_grad():
            assert torch.equal(member.checkpoint().to_timm()(images), model(images))
        assert np.array_equal(member.checkpoint().tensors()["head.bias"], arrays[name]["head/bias"])
    adapted = next(member for member in zoo.members() if member.imported["name"] == ADAPTED)
    assert adapted.parent is not None and adapted.parent.imported["name"] == UPSTREAM

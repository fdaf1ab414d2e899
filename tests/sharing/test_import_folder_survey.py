"""Surveys of plain folders: what is a model, which epochs it has, which row speaks of it, who came from whom."""

import json
from pathlib import Path

import pytest
from folder_trees import write_csv

from vitzoo.errors import InputError
from vitzoo.sharing.importing.layouts import folder
from vitzoo.sharing.importing.survey import Found, Survey

TIMM = '{"architecture": "vit_tiny_patch16_224", "num_classes": 10}'


def put(root: Path, *names: str, text: str = "weights") -> None:
    """Files that only their names matter of: a survey opens no weights."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(TIMM if name.endswith("config.json") else text)


def by_key(survey: Survey) -> dict[str, Found]:
    return {found.key: found for found in survey.members}


def reasons(survey: Survey) -> str:
    return "\n".join(map(str, survey.unplaced))


# what is a model


def test_folders_with_a_config_and_loose_files_at_any_depth(tmp_path):
    put(tmp_path, "a/config.json", "a/model.safetensors", "b/c/d/e/config.json", "b/c/d/e/pytorch_model.bin")
    put(tmp_path, "loose.pt", "more/one.pth", "more/two.npz", "named/model.safetensors")
    found = by_key(folder.survey(tmp_path))
    assert {key: member.name for key, member in found.items()} == {
        "a": "a",
        "b/c/d/e": "e",
        "loose.pt": "loose",
        "more/one.pth": "one",
        "more/two.npz": "two",
        "named/model.safetensors": "named",  # "model" names nothing
    }
    assert found["a"].checkpoints[1].path == tmp_path / "a/model.safetensors"
    assert found["a"].checkpoints[1].size == len("weights")
    assert all(member.stage == "pretraining" and list(member.checkpoints) == [1] for member in found.values())


def test_the_folder_itself_may_be_the_model(tmp_path):
    put(tmp_path / "vit", "config.json", "model.safetensors")
    (member,) = folder.survey(tmp_path / "vit").members
    assert (member.key, member.name) == (".", "vit")


def test_the_safe_file_is_taken_of_two(tmp_path):
    put(tmp_path, "a/config.json", "a/model.safetensors", "a/pytorch_model.bin", "b.safetensors", "b.pt")
    put(tmp_path, "c/model.safetensors", "c/pytorch_model.bin")
    found = by_key(folder.survey(tmp_path))
    assert list(found) == ["a", "b.safetensors", "c/model.safetensors"]
    assert found["a"].checkpoints[1].path.name == "model.safetensors"
    assert "pytorch_model.bin beside model.safetensors is not read" in found["a"].notes
    assert "b.pt is taken for the same weights as b.safetensors and not read" in found["b.safetensors"].notes


def test_what_is_no_model_of_a_zoo_is_told_with_the_reason(tmp_path):
    put(tmp_path, "good.pt", "old.h5", "train.pth.tar", "run/optimizer.pt", "run/training_args.bin", "notes.txt")
    put(tmp_path, "lora/adapter_config.json", "lora/adapter_model.safetensors")
    put(tmp_path, "parts/config.json", "parts/model.safetensors.index.json", "parts/model-00001-of-00002.safetensors")
    put(tmp_path, "two/config.json", "two/best.pt", "two/last.pt", "empty/config.json", "a/b/c/d/e/deep.pt")
    put(tmp_path, "resnet/config.json", "resnet/model.safetensors")
    (tmp_path / "resnet/config.json").write_text('{"architecture": "resnet18"}')
    survey = folder.survey(tmp_path)
    assert list(by_key(survey)) == ["good.pt"]
    told = {line.key: (line.reason, line.model) for line in survey.unplaced}
    assert told["lora"][0].startswith("is an adapter") and told["parts"][0].startswith("has its weights in several")
    assert told["two/best.pt"][0].startswith("is one of several files") and "two/last.pt" in told
    assert told["empty"] == ("has a config and no weights that can be read", True)
    assert told["resnet"] == ("its architecture 'resnet18' is not the plain ViT that a zoo holds", True)
    assert told["old.h5"][1] and told["train.pth.tar"][1] and "format that is not read" in told["old.h5"][0]
    assert told["a/b/c/d/e"] == ("lies more than 4 folders deep", True)
    assert told["run/optimizer.pt"] == ("is the state of a training, which no zoo keeps", False)
    assert told["notes.txt"] == ("belongs to no model", False)


def test_many_of_one_kind_are_one_line(tmp_path):
    put(tmp_path, "a.pt", *(f"{n:03}.h5" for n in range(100)))
    told = [str(line) for line in folder.survey(tmp_path).unplaced]
    assert told == [
        "000.h5, 001.h5, 002.h5 and 97 more: is in a format that is not read; .safetensors, .pt, .pth, .bin, .npz are"
    ]


def test_fits_where_there_are_weights(tmp_path):
    assert not folder.fits(tmp_path)
    put(tmp_path, "a/b/notes.txt", "a/optimizer.pt")
    assert not folder.fits(tmp_path)
    put(tmp_path, "a/b/model.bin")
    assert folder.fits(tmp_path)


# epochs


def numbered(root: Path, *names: str, **row: object) -> Found:
    put(root, "run/config.json", *(f"run/{name}" for name in names))
    if row:
        write_csv(root / "factors.csv", [{"model": "run", **row}])
    (member,) = folder.survey(root).members
    assert (member.key, member.name) == ("run", "run")
    return member


def test_numbers_that_are_epochs_are_sorted_as_numbers(tmp_path):
    member = numbered(tmp_path, "epoch_10/model.safetensors", "epoch_9/model.safetensors", "epoch_0/model.safetensors")
    assert list(member.checkpoints) == [0, 9, 10]
    assert member.checkpoints[10].path == tmp_path / "run/epoch_10/model.safetensors"


@pytest.mark.parametrize("name", ["checkpoint_000007", "checkpoint7", "ep7", "Epoch-7", "epoch=7"])
def test_words_for_epochs(tmp_path, name):
    assert list(numbered(tmp_path, f"{name}/weights.pt").checkpoints) == [7]


def test_files_with_numbers_are_checkpoints_of_their_folder(tmp_path):
    member = numbered(tmp_path, "epoch_1.pt", "epoch_2.pt", "epoch_12.pt")
    assert {epoch: file.path.name for epoch, file in member.checkpoints.items()} == {
        1: "epoch_1.pt",
        2: "epoch_2.pt",
        12: "epoch_12.pt",
    }


def test_numbers_at_the_end_of_names_are_factors_of_models(tmp_path):
    put(tmp_path, "vit_lr0.1_ep50.pt", "vit_lr0.1_ep90.pt", "model_0.pt", "model_1.pt")
    assert len(folder.survey(tmp_path).members) == 4


def test_steps_become_epochs_where_that_comes_out_even(tmp_path):
    member = numbered(tmp_path, *(f"checkpoint-{step}/model.safetensors" for step in (500, 1000, 1500)), epochs=3)
    assert list(member.checkpoints) == [1, 2, 3]
    assert "its 3 epochs are spread evenly over 1,500 steps" in member.notes


def test_steps_are_positions_otherwise_and_the_last_is_the_last_epoch(tmp_path):
    member = numbered(tmp_path, *(f"step_{step}/model.safetensors" for step in (0, 500, 1000, 1173)), epochs=30)
    assert list(member.checkpoints) == [0, 1, 2, 30]
    assert any("numbered by their order, the last as epoch 30" in note for note in member.notes)


def test_steps_are_positions_where_nothing_is_known(tmp_path):
    member = numbered(tmp_path, "step_20/model.safetensors", "step_100/model.safetensors")
    assert list(member.checkpoints) == [1, 2]
    assert any("the order of its checkpoints" in note for note in member.notes)


def test_a_trainers_state_tells_epochs_and_a_curve(tmp_path):
    for step, epoch in ((391, 1.0), (782, 2.0)):
        history = [{"epoch": 0.5, "loss": 3.0}, {"epoch": 1.0, "eval_accuracy": 0.2, "eval_loss": 2.5}]
        history += [{"epoch": 2.0, "eval_accuracy": 0.3, "eval_loss": float("nan")}] if epoch == 2 else []
        state = {"epoch": epoch, "global_step": step, "log_history": history}
        put(tmp_path, f"run/checkpoint-{step}/model.safetensors", f"run/checkpoint-{step}/config.json")
        (tmp_path / f"run/checkpoint-{step}/trainer_state.json").write_text(json.dumps(state))
    (member,) = folder.survey(tmp_path).members
    assert list(member.checkpoints) == [1, 2]
    assert member.metrics == {1: {"val_acc": 0.2, "val_loss": 2.5}, 2: {"val_acc": 0.3, "val_loss": None}}


def test_a_trainers_state_tells_the_epoch_of_an_only_checkpoint(tmp_path):
    put(tmp_path, "run/config.json", "run/model.safetensors")
    (tmp_path / "run/trainer_state.json").write_text('{"epoch": 3.0, "global_step": 1173, "log_history": []}')
    assert list(folder.survey(tmp_path).members[0].checkpoints) == [3]


def test_a_trainer_may_count_in_per_cent(tmp_path):
    history = [{"epoch": epoch, "eval_accuracy": 80.0 + epoch} for epoch in (1, 2)]
    put(tmp_path, "run/checkpoint-9/model.safetensors", "run/checkpoint-9/config.json")
    state = {"epoch": 2, "global_step": 9, "log_history": history}
    (tmp_path / "run/checkpoint-9/trainer_state.json").write_text(json.dumps(state))
    (member,) = folder.survey(tmp_path).members
    assert member.metrics == {1: {"val_acc": 0.81}, 2: {"val_acc": 0.82}} and list(member.checkpoints) == [2]


def test_a_broken_trainers_state_is_noted(tmp_path):
    put(tmp_path, "run/checkpoint-5/model.safetensors", "run/checkpoint-5/config.json")
    (tmp_path / "run/checkpoint-5/trainer_state.json").write_text("{")
    (member,) = folder.survey(tmp_path).members
    assert any("trainer_state.json is not valid JSON" in note for note in member.notes)


def test_what_lies_beside_or_within_numbered_checkpoints_is_told(tmp_path):
    put(tmp_path, "run/config.json", "run/model.safetensors", "run/epoch_1/model.safetensors", "run/epoch_1/ema.pt")
    put(tmp_path, "run/epoch_01/model.safetensors", "run/step_5.pt", "run/epoch_1/global_step5/mp_rank_00.pt")
    survey = folder.survey(tmp_path)
    (member,) = survey.members
    assert list(member.checkpoints) == [1]
    told = reasons(survey)
    assert "run/model.safetensors: lies beside numbered checkpoints" in told
    assert "is a second checkpoint 1 of the same model" in told and "run/step_5.pt: counts steps" in told
    assert "run/epoch_1/ema.pt: lies in the folder of a checkpoint" in told
    assert "run/epoch_1/global_step5/mp_rank_00.pt: lies in the folder of a checkpoint" in told


def test_the_only_checkpoint_is_the_last_epoch_or_the_one_its_row_names(tmp_path):
    put(tmp_path, "a.pt", "b.pt", "c.pt")
    rows = [{"file": "a.pt", "epochs": 90, "epoch": None}, {"file": "b.pt", "epochs": 90, "epoch": 37}]
    write_csv(tmp_path / "factors.csv", [row | {"val_acc": 0.5} for row in rows])
    found = by_key(folder.survey(tmp_path))
    assert [list(found[key].checkpoints) for key in ("a.pt", "b.pt", "c.pt")] == [[90], [37], [1]]
    assert found["a.pt"].metrics == {90: {"val_acc": 0.5}} and found["b.pt"].metrics == {37: {"val_acc": 0.5}}
    assert any("nothing says how long it was trained" in note for note in found["c.pt"].notes)


# tables


def test_a_row_gives_factors_metrics_and_the_rest_word_for_word(tmp_path):
    put(tmp_path, "model_1.pt", "model_2.pt")
    soups = {
        "model_1": {"aug": "rand-m12-n1", "wd": 8e-4, "lr": 6e-6, "mix": 0.38, "smoothing": 0.1, "epochs": 4},
        "model_2": {"aug": None, "wd": 0.5, "lr": 1e-5, "mix": 0, "smoothing": 0, "epochs": 16},
        "model_0": {"info": "LP initialization"},
    }
    (tmp_path / "hparam_info.json").write_text(json.dumps(soups))
    survey = folder.survey(tmp_path)
    found = by_key(survey)
    expected = {"weight_decay": 8e-4, "lr": 6e-6, "mixup": 0.38, "label_smoothing": 0.1, "epochs": 4}
    assert found["model_1.pt"].recipe == {"hyperparameters": expected}
    assert found["model_1.pt"].declared["table"]["aug"] == "rand-m12-n1"
    assert list(found["model_2.pt"].checkpoints) == [16]
    assert "hparam_info.json, entry 'model_0' ('model_0'): names a model that is not in the folder" in reasons(survey)


def test_percentages_are_decided_over_the_column(tmp_path):
    put(tmp_path, "a.pt", "b.pt")
    rows = [
        {"model": "a", "test_acc": 0.9, "train_acc": 0.9, "val_acc": -4, "test_loss": 3.5},
        {"model": "b", "test_acc": 85.0, "train_acc": "", "val_acc": 0.5, "test_loss": "nan"},
    ]
    write_csv(tmp_path / "t.csv", rows)
    survey = folder.survey(tmp_path, tmp_path / "t.csv")
    found = by_key(survey)
    assert found["a.pt"].metrics == {1: {"test_acc": pytest.approx(0.009), "train_acc": 0.9, "test_loss": 3.5}}
    assert found["b.pt"].metrics == {1: {"test_acc": 0.85}}
    assert "'test_acc' of t.csv is in per cent; it is stored as a share" in found["b.pt"].notes
    assert "column 'val_acc': holds what is neither shares nor percentages" in reasons(survey)


def test_the_column_that_means_most_models_names_them(tmp_path):
    put(tmp_path, "runs/a.pt", "runs/b.pt")
    rows = [{"model": "vit_small", "path": "/cluster/runs/a.pt"}, {"model": "a", "path": "/cluster/runs/b.pt"}]
    write_csv(tmp_path / "factors.csv", [row | {"seed": n} for n, row in enumerate(rows)])
    found = by_key(folder.survey(tmp_path))
    assert [found[f"runs/{name}.pt"].recipe["hyperparameters"]["seed"] for name in "ab"] == [0, 1]


def test_names_of_the_hub_do_without_their_organisation(tmp_path):
    put(tmp_path, "downloads/vit-7/config.json", "downloads/vit-7/model.safetensors")
    write_csv(tmp_path / "index.csv", [{"hf_model_id": "lab/vit-7", "learning_rate": 0.1}])
    (member,) = folder.survey(tmp_path).members
    assert member.recipe["hyperparameters"] == {"lr": 0.1}


def test_rows_that_cannot_be_told_apart_count_for_nothing(tmp_path):
    put(tmp_path, "a.pt", "x/b.pt", "y/b.pt")
    rows = [{"model": "a", "lr": 1}, {"model": "a", "lr": 2}, {"model": "b", "lr": 3}, {"model": "c", "lr": 4}]
    write_csv(tmp_path / "factors.csv", rows)
    survey = folder.survey(tmp_path)
    assert all("hyperparameters" not in member.recipe for member in survey.members)
    told = reasons(survey)
    assert "line 2, line 3: speaks of a.pt, as others do" in told
    assert "line 4 ('b'): names several models alike; give their paths" in told
    assert "line 5 ('c'): names a model that is not in the folder" in told
    assert all(member.notes.count("factors.csv has no row for it") == 1 for member in survey.members)


def test_a_row_per_epoch_is_a_curve(tmp_path):
    put(tmp_path, "run/config.json", "run/epoch_1/model.safetensors", "run/epoch_2/model.safetensors")
    rows = [{"model": "run", "epoch": n, "lr": 0.1, "seed": n, "test_acc": n / 10} for n in (1, 2, 3)]
    write_csv(tmp_path / "factors.csv", rows)
    (member,) = folder.survey(tmp_path).members
    assert member.metrics == {n: {"test_acc": n / 10} for n in (1, 2, 3)}
    assert member.recipe["hyperparameters"] == {"lr": 0.1}
    assert "seed differs between its rows in factors.csv and is left out" in member.notes
    assert [row["seed"] for row in member.declared["table"]] == [1, 2, 3]


def test_a_given_table_must_be_sound_and_one_that_lies_there_need_not(tmp_path):
    put(tmp_path, "a.pt")
    write_csv(tmp_path / "factors.csv", [{"lr": 1}])
    survey = folder.survey(tmp_path)
    assert len(survey.members) == 1 and "No column of factors.csv names a model" in reasons(survey)
    with pytest.raises(InputError, match="No column"):
        folder.survey(tmp_path, tmp_path / "factors.csv")
    with pytest.raises(InputError, match="missing"):
        folder.survey(tmp_path, tmp_path / "nowhere.csv")


def test_of_two_tables_one_is_read(tmp_path):
    put(tmp_path, "a.pt", "metadata.json", text='[{"model": "a", "seed": 2}]')
    write_csv(tmp_path / "factors.csv", [{"model": "a", "seed": 1}])
    survey = folder.survey(tmp_path)
    assert survey.members[0].recipe["hyperparameters"] == {"seed": 1}
    assert "metadata.json: is not read, because factors.csv is" in reasons(survey)


def test_values_that_are_no_factor_stay_declared(tmp_path):
    put(tmp_path, "a.pt")
    row = {"model": "a", "optimizer": "lamb", "lr": -1, "dataset": "my birds", "heads": 6, "mixup": True}
    write_csv(tmp_path / "factors.csv", [row])
    (member,) = folder.survey(tmp_path).members
    assert member.recipe == {"architecture": {"heads": 6}}
    assert any("optimizer is 'lamb'" in note for note in member.notes) and any("lr is -1" in n for n in member.notes)
    assert member.declared["table"] == row


def test_an_architecture_in_the_table_tells_heads(tmp_path):
    put(tmp_path, "a.pt", "b.pt")
    rows = [{"model": "a", "arch": "vit_huge_patch14_224"}, {"model": "b", "arch": "vit_tiny_patch16_224"}]
    write_csv(tmp_path / "factors.csv", rows)
    found = by_key(folder.survey(tmp_path))
    assert [found[key].recipe["architecture"]["heads"] for key in ("a.pt", "b.pt")] == [16, 3]


# lineage


def test_parents_from_the_table_come_before_their_children(tmp_path):
    put(tmp_path, "a.pt", "b.pt", "c.pt", "d.pt", "e.pt")
    parents = {"a": "b.pt", "b": "runs/c", "c": "scratch", "d": "hub/elsewhere", "e": None}
    write_csv(tmp_path / "factors.csv", [{"model": m, "base_model": p} for m, p in parents.items()])
    survey = folder.survey(tmp_path)
    found = by_key(survey)
    assert [found[f"{m}.pt"].parent for m in "abcde"] == ["b.pt", "c.pt", None, None, None]
    assert "".join(found[f"{m}.pt"].stage[0] for m in "abcde") == "ffpfp"
    assert found["d.pt"].parent_hint == "hub/elsewhere"
    order = [member.key for member in survey.members]
    assert order.index("c.pt") < order.index("b.pt") < order.index("a.pt")


def test_a_name_of_another_folder_is_no_parent(tmp_path):
    put(tmp_path, "pre/seed1.pt", "ft/a.pt")
    write_csv(tmp_path / "factors.csv", [{"path": "ft/a.pt", "parent": "elsewhere/seed1"}])
    assert by_key(folder.survey(tmp_path))["ft/a.pt"].parent is None


def test_a_parents_checkpoint_may_be_named(tmp_path):
    put(tmp_path, "base/config.json", *(f"base/checkpoint-{step}/model.safetensors" for step in (10, 20)), "a.pt")
    write_csv(tmp_path / "factors.csv", [{"model": "a", "init_from": "/old/base/checkpoint-10"}])
    member = by_key(folder.survey(tmp_path))["a.pt"]
    assert (member.parent, member.parent_epoch) == ("base", 1)


def test_what_two_models_are_called_makes_rivals(tmp_path):
    put(tmp_path, "x/base.pt", "y/base.pt", "a.pt")
    write_csv(tmp_path / "factors.csv", [{"model": "a", "parent": "base"}])
    member = by_key(folder.survey(tmp_path))["a.pt"]
    assert member.parent == "x/base.pt" and member.rivals == ("y/base.pt",)


def test_circles_and_selves_are_nobodys_parents(tmp_path):
    put(tmp_path, "a.pt", "b.pt", "c.pt", "d.pt")
    parents = {"a": "b", "b": "a", "c": "c", "d": "a"}
    write_csv(tmp_path / "factors.csv", [{"model": m, "parent": p} for m, p in parents.items()])
    found = by_key(folder.survey(tmp_path))
    assert [found[f"{m}.pt"].parent for m in "abcd"] == [None, None, None, "a.pt"]
    assert all("goes in a circle" in found[f"{m}.pt"].notes[-1] for m in "ab")
    assert found["c.pt"].stage == "pretraining" and found["c.pt"].parent_hint is None


CARDS = {
    "base_model: lab/base\nbase_model_relation: finetune": ("base", "finetuning", ""),
    "base_model: [lab/base]": ("base", "finetuning", ""),
    "base_model: lab/other": (None, "finetuning", ""),
    "base_model: lab/base\nbase_model_relation: adapter": (None, "pretraining", "no fine-tuning"),
    "base_model: [lab/base, lab/x]\nbase_model_relation: merge": (None, "pretraining", "made of 2 models"),
    "base_model: &a lab/base\nx: *a": (None, "pretraining", "not plain YAML"),
    "base_model: {a: 1}": (None, "pretraining", ""),
    "tags: [vit": (None, "pretraining", "not plain YAML"),
}


@pytest.mark.parametrize("text", CARDS)
def test_cards_name_the_base_model(tmp_path, text):
    put(tmp_path, "base/config.json", "base/model.safetensors", "ft/config.json", "ft/model.safetensors")
    (tmp_path / "ft/README.md").write_text(f"---\n{text}\n---\n# A model\n")
    member = by_key(folder.survey(tmp_path))["ft"]
    parent, stage, note = CARDS[text]
    assert (member.parent, member.stage) == (parent, stage)
    assert note in "\n".join(member.notes)


def test_a_card_names_the_data_set_and_the_table_counts_more(tmp_path):
    put(tmp_path, "a/config.json", "a/model.safetensors", "b/config.json", "b/model.safetensors")
    for name in "ab":
        (tmp_path / name / "README.md").write_text("---\ndatasets:\n- uoft-cs/cifar100\nlicense: mit\n---\n")
    write_csv(tmp_path / "factors.csv", [{"model": "b", "dataset": "cifar10"}])
    found = by_key(folder.survey(tmp_path))
    assert [found[name].recipe["dataset"]["source"] for name in "ab"] == ["cifar100", "cifar10"]
    assert found["a"].declared["card"] == {"datasets": ["uoft-cs/cifar100"], "license": "mit"}
    assert any("source is cifar10 by its table" in note for note in found["b"].notes)


def test_a_hugging_face_config_names_what_it_was_loaded_from(tmp_path):
    for name, loaded in (("base", ""), ("ft", "./runs/base"), ("again", "lab/again")):
        put(tmp_path, f"{name}/model.safetensors")
        (tmp_path / name / "config.json").write_text(json.dumps({"model_type": "vit", "_name_or_path": loaded}))
    found = by_key(folder.survey(tmp_path))
    assert found["ft"].parent_hint == "./runs/base" and found["ft"].parent == "base"
    assert found["again"].stage == "pretraining" and found["again"].parent_hint is None  # saved again under its name

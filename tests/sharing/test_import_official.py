"""The published zoo's layout with all its quirks becomes a zoo: members, factors, metrics, edges and weights right."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from official_tree import CLASSES, Tree, finetuning_config, moved, pretraining_config, weights, write

from vitzoo.blueprint import Recipe, expand, load
from vitzoo.blueprint.schema import Head
from vitzoo.model.shapes import parameter_shapes
from vitzoo.sharing.importing import recipes
from vitzoo.sharing.importing.adding import Imported
from vitzoo.sharing.importing.layouts import official
from vitzoo.sharing.importing.run import Wishes, run
from vitzoo.sharing.importing.survey import Found
from vitzoo.sharing.names.architecture import infer
from vitzoo.sharing.official import declared
from vitzoo.zoo import Member, Zoo, verify

WISHES = Wishes("released", "CC-BY-4.0", workers=1)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return write(tmp_path_factory.mktemp("published") / "tree")


@pytest.fixture(scope="module")
def done(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return run(official.survey(tree.root), tmp_path_factory.mktemp("imported") / "zoo", WISHES)


@pytest.fixture(scope="module")
def members(done: Imported) -> dict[str, Member]:
    return {member.config["imported"]["key"]: member for member in done.zoo.members()}


def test_every_member_is_there(tree: Tree, done: Imported, members: dict[str, Member]) -> None:
    assert set(members) == set(tree.weights)
    assert (done.members, done.checkpoints) == (6, 16)
    assert official.fits(tree.root)


def test_the_zoo_is_sound(done: Imported) -> None:
    report = verify(done.zoo, deep=True)
    assert report.findings == []
    assert report.checkpoints == 16


def test_weights_are_the_same_bits_at_the_right_epochs(tree: Tree, members: dict[str, Member]) -> None:
    for key, states in tree.weights.items():
        assert members[key].epochs() == sorted(states), key
        for epoch, state in states.items():
            found = members[key].checkpoint(epoch).tensors()
            assert list(found) == list(state)
            assert all(np.array_equal(found[name], tensor.numpy()) for name, tensor in state.items()), (key, epoch)


def test_metrics_are_at_the_right_epochs(tree: Tree, members: dict[str, Member]) -> None:
    for key, expected in tree.test_acc.items():
        found = {c.epoch: c.metrics.get("test_acc") for c in members[key].checkpoints()}
        assert found == pytest.approx(expected), key


def test_curves_keep_epochs_without_checkpoints(members: dict[str, Member]) -> None:
    (contrastive,) = (
        member for key, member in members.items() if key.endswith("cl_vit_s_16_seed_42_bs_96_lr_0.001_wd_0.0001_me_90")
    )
    assert [(line["epoch"], line["test_loss"]) for line in contrastive.curve()] == [
        (0, 2.0),
        (1, None),
        (2, None),
        (3, 2.0),
    ]


def test_lineage_is_what_the_weights_say(tree: Tree, members: dict[str, Member], done: Imported) -> None:
    for key, (parent, epoch) in tree.parents.items():
        edge = members[key].checkpoints()[0].manifest["parent"]
        assert (edge["member"], edge["epoch"]) == (members[parent].name, epoch), key
        assert members[key].parent is not None
    assert len(done.zoo.lineage().edges) > 16


def test_a_record_that_weights_deny_is_told(members: dict[str, Member]) -> None:
    (liar,) = (member for key, member in members.items() if key.endswith("sl_ft_SD_6312"))
    assert any("names" in note and "its folder" in note for note in liar.config["imported"]["notes"])


def test_declared_and_effective_are_kept_apart(tree: Tree, members: dict[str, Member]) -> None:
    for key, config in tree.configs.items():
        assert members[key].config["imported"]["declared"] == config
    supervised = members[next(iter(tree.configs))]
    h = supervised.recipe["hyperparameters"]
    assert (h["label_smoothing"], h["mixup"], h["cutmix"], h["random_erasing"]) == (0.8, 1.0, 0.0, 0.25)
    notes = " ".join(supervised.config["imported"]["notes"])
    assert "label_smoothing is declared 0.1, took effect as 0.8" in notes


def test_what_has_no_place_is_told(done: Imported) -> None:
    told = {place.key: place for place in done.left_out}
    assert set(told) == {"config.json", "dataset.pt", "vit_imagenet_pretrained/link", "vit_imagenet_pretrained/crashed"}
    assert [place.key for place in done.left_out if place.model] == ["vit_imagenet_pretrained/crashed"]


def test_doing_it_again_changes_nothing(tree: Tree, done: Imported) -> None:
    before = sorted((p.stat().st_mtime_ns, p) for p in done.zoo.path.rglob("*") if p.is_file())
    again = run(official.survey(tree.root), done.zoo.path, WISHES)
    assert (again.members, again.there) == (0, 6)
    assert sorted((p.stat().st_mtime_ns, p) for p in done.zoo.path.rglob("*") if p.is_file()) == before


def test_it_goes_on_where_it_was_stopped(tree: Tree, done: Imported, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(what: str, count: int, total: int, unit: str) -> None:
        raise Stop

    with pytest.raises(Stop):
        run(official.survey(tree.root), tmp_path / "zoo", WISHES, stop)
    run(official.survey(tree.root), tmp_path / "zoo", WISHES)
    digests = [row["sha256"] for row in done.zoo.rows()]
    assert [row["sha256"] for row in Zoo.open(tmp_path / "zoo").rows()] == digests


def test_the_recipe_is_the_preset_that_does_what_the_code_does() -> None:
    """Members of the published zoo get the ids that `vitzoo grow released` gives them."""
    first, second = expand(load("released"))
    for recipe in first:
        h = recipe.hyperparameters
        config = pretraining_config(h.seed, h.batch_size, h.task == "contrastive") | {"training::epochs_train": 90}
        assert imported_id(recipe, config, None) == recipe.id
    for recipe in second:
        h = recipe.hyperparameters
        config = finetuning_config("x", None, recipe.architecture.head.kind == "mlp", h.optimizer, h.lr)
        config |= {"seed": h.seed, "training::epochs_train": 50}
        assert imported_id(recipe, config, recipe.parent) == recipe.id


def imported_id(recipe: Recipe, config: dict[str, Any], parent: str | None) -> str:
    effective = declared.effective(config | {"model::type": "vit_s_16"}, recipe.stage)
    arch = infer(parameter_shapes(recipe.architecture), effective["architecture"])
    found = Found("a", "a", recipe.stage, {}, effective)
    edge = {"member": "p", "id": parent} if parent else None
    return recipes.config(found, "a", "official", arch, edge, [1])["id"]


def test_a_parent_that_everybody_names_and_weights_deny_is_a_contradiction(tmp_path: Path) -> None:
    tree, head = Tree(tmp_path / "tree"), Head(outputs=CLASSES)
    a, b = weights(1, head), weights(2, head)
    tree.member("pretraining/a", pretraining_config(1, 8), {1: a})
    tree.member("pretraining/b", pretraining_config(2, 8), {1: b})
    tree.member("finetuning/a/child", finetuning_config("a", None, False, "sgd", 0.1), {2: moved(b, 3, head)})
    done = run(official.survey(tree.root), tmp_path / "zoo", WISHES)
    assert done.contradicted[0].startswith("child: its weights are nearer to b (")
    assert done.zoo.member("child").parent == done.zoo.member("a")  # the record stands, and is told


def test_without_its_parent_a_child_is_imported_by_itself(tmp_path: Path) -> None:
    tree, head = Tree(tmp_path / "tree"), Head(outputs=CLASSES)
    tree.member("finetuning/gone/child", finetuning_config("gone", None, False, "sgd", 0.1), {2: weights(1, head)})
    done = run(official.survey(tree.root), tmp_path / "zoo", WISHES)
    (member,) = done.zoo.members()
    assert (member.stage, member.parent) == ("pretraining", None)
    assert "it was fine-tuned from gone that is not here" in member.config["imported"]["notes"]


def test_a_folder_of_another_kind_is_not_claimed(tmp_path: Path) -> None:
    """As `vitzoo export --to timm --epoch all` leaves it: configs lie in the checkpoints."""
    (tmp_path / "a" / "checkpoint_000001").mkdir(parents=True)
    (tmp_path / "a" / "checkpoint_000001" / "config.json").write_text("{}")
    assert not official.fits(tmp_path)
    (tmp_path / "a" / "params.json").write_text("{}")
    assert official.fits(tmp_path)


def test_what_no_zoo_can_store_is_left_out_with_the_reason(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "tree")
    tree.member("pretraining/a", pretraining_config(1, 8), {1: weights(1, Head(outputs=CLASSES))})
    tree.member("pretraining/b", pretraining_config(2, 8), {1: weights(2, Head(outputs=CLASSES))})
    config = tree.root / "pretraining" / "b" / "config.json"
    config.write_text(config.read_text().replace('"vit_tiny"', '"\\ud800"'))
    done = run(official.survey(tree.root), tmp_path / "zoo", WISHES)
    assert [member.name for member in done.zoo.members()] == ["a"]
    assert "cannot be stored as JSON" in done.left_out[0].reason


def test_a_flat_folder_of_trials(tmp_path: Path) -> None:
    """Ray Tune's own folder: long names, params.json, a grid beside the trials; stages and parents from configs."""
    tree, head = Tree(tmp_path / "tune_zoo"), Head(outputs=CLASSES)
    start = weights(1, head)
    names = [f"NN_tune_trainable_a1b2_0000{i}_{i}_optim={o},lr=0.001_2024-01-01_00-00-0{i}" for i, o in enumerate("ab")]
    tree.member(names[0], pretraining_config(1, 8), {3: start}, config_name="params.json")
    child = finetuning_config(names[0], "/x/checkpoint_000003/checkpoints", False, "sgd", 0.1)
    tree.member(names[1], child, {0: start, 1: moved(start, 3, head)}, config_name="params.json")
    for junk in ("config.json", "index_dict.json", "experiment_state-2024.json"):
        (tree.root / junk).write_text("{}")
    assert official.fits(tree.root)
    done = run(official.survey(tree.root), tmp_path / "zoo", WISHES)
    assert sorted(place.key for place in done.left_out) == [
        "config.json",
        "experiment_state-2024.json",
        "index_dict.json",
    ]
    (found,) = done.zoo.members("finetuning")
    assert found.checkpoints()[0].manifest["parent"]["epoch"] == 3
    assert verify(done.zoo, deep=True).findings == []

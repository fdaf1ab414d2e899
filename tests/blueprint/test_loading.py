"""Loading: errors that name the field, overrides, round trips, and hostile files."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitzoo.blueprint import PRESETS, expand, load, parse, preset, reader
from vitzoo.blueprint.document import STAGES
from vitzoo.blueprint.fields import known_paths
from vitzoo.blueprint.grid import replace
from vitzoo.blueprint.overrides import apply
from vitzoo.errors import BlueprintError

MINIMAL = """
vitzoo: 1
name: minimal
pretraining:
  architecture: {image_size: 16, patch_size: 4, dim: 12, depth: 1, heads: 3}
  dataset: {source: digits}
  hyperparameters: {seed: 1, epochs: 2, batch_size: 8, lr: 1e-3}
finetuning:
  dataset: {source: "folder:birds", classes: 7}
  hyperparameters: {epochs: 2, batch_size: 8, lr: 1e-3}
  grid: {zip: {hyperparameters.seed: [1, 2]}}
"""


def minimal(**changes: Any) -> Any:
    """The minimal document with fields replaced; a double underscore stands for a dot."""
    return replace(reader.read(MINIMAL), {path.replace("__", "."): value for path, value in changes.items()})


def ids(blueprint: Any) -> list[str]:
    return [recipe.id for stage in expand(blueprint) for recipe in stage]


def test_the_grid_may_supply_a_required_field() -> None:
    pretraining, finetuning = expand(parse(minimal()))
    assert [r.hyperparameters.seed for r in finetuning] == [1, 2]
    assert {r.parent for r in finetuning} == {pretraining[0].id}
    assert [r.architecture.head.outputs for r in pretraining + finetuning] == [10, 7, 7]


PRE, FINE = "pretraining.hyperparameters.", "finetuning.hyperparameters."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nam": 1}, "nam is 1, but there is no such field. Did you mean 'name'?"),
        ({"vitzoo": 2}, "vitzoo is 2; expected 1."),
        ({"name": "../x"}, "name is '../x'; expected letters, digits"),
        ({"pretraining": 3}, "pretraining is 3; expected a mapping"),
        ({FINE + "lrr": 0.1}, FINE + "lrr is 0.1, but there is no such field. Did you mean 'lr'?"),
        ({FINE + "lr": -1}, FINE + "lr is -1; expected a number greater than 0."),
        ({FINE + "lr": "fast"}, FINE + "lr is 'fast'; expected a number."),
        ({FINE + "epochs": 2.0}, FINE + "epochs is 2.0; expected an integer."),
        ({FINE + "epochs": True}, FINE + "epochs is true; expected an integer."),
        ({FINE + "optimizer": "adam"}, FINE + "optimizer is 'adam'; expected 'adamw' or 'sgd'. Did you mean 'adamw'?"),
        ({FINE + "betas": [0.9]}, FINE + "betas[1] is missing"),
        ({FINE + "betas": [0.9, "x"]}, FINE + "betas[1] is 'x'; expected a number."),
        ({FINE + "betas": [0.9, 1.0]}, FINE + "betas is [0.9, 1.0]; expected two numbers"),
        ({FINE + "seed": 2**63, "finetuning.grid": None}, FINE + "seed is 9223372036854775808; expected a number less"),
        ({FINE + "task": "contrastive"}, FINE + "temperature is null; expected a number for task 'contrastive'"),
        ({FINE + "warmup_epochs": 3}, FINE + "warmup_epochs is 3.0; expected at most epochs, which is 2."),
        ({FINE + "mixup": 1, FINE + "batch_size": 7}, FINE + "batch_size is 7; expected an even number"),
        ({PRE + "seed": None}, PRE + "seed is null; expected an integer."),
        ({PRE + "batch_size": 2000}, PRE + "batch_size is 2000; expected at most 1437"),
        (
            {"finetuning.architecture.image_size": 18},
            "finetuning.architecture.image_size is 18; expected a multiple of 4",
        ),
        (
            {"pretraining.architecture.image_size": 18},
            "pretraining.architecture.image_size is 18; expected a multiple of",
        ),
        ({"pretraining.architecture.head.outputs": 9}, "pretraining.architecture.head.outputs is 9; expected 10"),
        ({"finetuning.architecture.head.kind": "mlp"}, "finetuning.architecture.head.hidden is null; expected a width"),
        ({"finetuning.dataset.classes": None}, "finetuning.dataset.classes is null; expected the number of classes"),
        ({"pretraining.dataset.classes": 11}, "pretraining.dataset.classes is 11; expected 10"),
        ({"pretraining.dataset.source": "digit"}, "pretraining.dataset.source is 'digit'; expected digits, fractals"),
        ({"pretraining.dataset.train_limit": 5000}, "pretraining.dataset.train_limit is 5000; expected at most 1437"),
        ({"pretraining.dataset.std": [0, 1, 1]}, "pretraining.dataset.std is [0.0, 1.0, 1.0]; expected three numbers"),
        (
            {"finetuning.grid": {"zip": {"hyperparameters.seed": [1, 1]}}},
            "finetuning.grid describes the same recipe twice",
        ),
        (
            {"finetuning.grid": {"zip": {"hyperparameters.seed": []}}},
            "finetuning.grid.zip.hyperparameters.seed is empty",
        ),
        (
            {"finetuning.grid": {"zip": {"augmentation": [{"flp": 1}]}}},
            "finetuning.augmentation.flp is 1, but there is no",
        ),
        ({"name": "x" * 10**5}, "name is 'xxx"),
    ],
)
def test_one_error_names_path_value_and_expectation(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BlueprintError) as caught:
        expand(parse(replace(reader.read(MINIMAL), changes)))
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 600
    assert str(caught.value).endswith((".", "?"))


def test_missing_fields_say_what_is_expected() -> None:
    data = minimal()
    del data["pretraining"]["hyperparameters"]["lr"]
    with pytest.raises(BlueprintError, match=r"^pretraining.hyperparameters.lr is missing; expected a number"):
        parse(data)


def test_a_contrastive_head_needs_its_width() -> None:
    changes = {PRE + "task": "contrastive", PRE + "temperature": 0.1}
    with pytest.raises(BlueprintError, match=r"pretraining.architecture.head.outputs is null; expected the width"):
        expand(parse(replace(reader.read(MINIMAL), changes)))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({FINE + "momentum": 0.9}, {}),
        ({FINE + "optimizer": "sgd", FINE + "betas": [0.5, 0.5]}, {FINE + "optimizer": "sgd"}),
        ({FINE + "lr": 1}, {FINE + "lr": 1.0}),
        ({"pretraining.dataset.classes": 10}, {}),
        ({"pretraining.architecture.head.outputs": 10}, {}),
        ({"finetuning.architecture.image_size": 16}, {}),
        ({"finetuning.checkpoints.every": 2}, {}),
        ({"licence": "CC0-1.0", "name": "other"}, {}),
        ({"finetuning.augmentation": {"blur": {"kernel": 3, "probability": 0}, "jitter": {}}}, {}),
        (
            {"finetuning.augmentation.crop": {"kind": "random", "scale": [0.5, 1]}},
            {"finetuning.augmentation.crop": {"kind": "random"}},
        ),
    ],
)
def test_what_has_no_effect_makes_no_other_recipe(a: dict[str, Any], b: dict[str, Any]) -> None:
    base = reader.read(MINIMAL)
    assert ids(parse(replace(base, a))) == ids(parse(replace(base, b)))


def test_what_has_an_effect_makes_another_recipe() -> None:
    base = reader.read(MINIMAL)
    for change in ({FINE + "optimizer": "sgd"}, {FINE + "lr": 2e-3}, {"finetuning.architecture.image_size": 20}):
        assert not set(ids(parse(replace(base, change)))[1:]) & set(ids(parse(base)))


def test_load_reads_files_and_applies_overrides(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(MINIMAL)
    blueprint = load(path, ["finetuning.hyperparameters.epochs=5", "finetuning.augmentation.crop.kind=random"])
    assert [r.hyperparameters.epochs for r in expand(blueprint)[1]] == [5, 5]
    again = parse(reader.read(blueprint.to_yaml()))
    assert ids(again) == ids(blueprint)
    assert [len(recipes) for recipes in expand(load(path, ["finetuning=null"]))] == [1, 0]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "finetuning.hyperparameters.lrr=1",
            "--set names 'finetuning.hyperparameters.lrr', which is not a field. Did you",
        ),
        ("lr=1", "--set names 'lr', which is not a field. Did you mean 'pretraining.hyperparameters.lr'?"),
        ("nme=1", "--set names 'nme', which is not a field. Did you mean 'name'?"),
        ("name", "--set 'name' is not of the form path=value."),
        ("=3", "--set '=3' is not of the form path=value."),
        ("name=", "--set 'name=' is not of the form path=value."),
        ("name=[", "The value of --set name, line "),
        ("x.grid=3", "--set names 'x.grid', but only pretraining and finetuning have a grid."),
        ("finetuning.hyperparameters.lr.x=1", "--set names 'finetuning.hyperparameters.lr.x', which is not a field."),
        (
            "finetuning.hyperparameters.seed=3",
            "--set finetuning.hyperparameters.seed would have no effect, because finetuning.grid sets this field "
            "in every cell. Narrow the grid instead: --set 'finetuning.grid.zip.hyperparameters.seed=[VALUE]'.",
        ),
        ("finetuning.grid.chain.9.zip.x=[1]", "finetuning.grid is {zip: "),
    ],
)
def test_override_errors(override: str, message: str) -> None:
    with pytest.raises(BlueprintError) as caught:
        parse(apply(reader.read(MINIMAL), [override]))
    assert str(caught.value).startswith(message)


def test_overrides_reach_into_the_grid() -> None:
    seeds = "finetuning.grid.zip.hyperparameters.seed=[5, 6, 7]"
    assert [r.hyperparameters.seed for r in expand(parse(apply(minimal(), [seeds])))[1]] == [5, 6, 7]
    chained = ["pretraining.grid.chain.0.zip.hyperparameters.seed=[42]"]
    chained.append("pretraining.grid.chain.0.zip.hyperparameters.batch_size=[256]")
    pretraining, finetuning = expand(load("paper", chained))
    assert (len(pretraining), len(finetuning)) == (4, 96)
    with pytest.raises(BlueprintError, match=r"'7' is no position in a list of 2 nodes"):
        load("paper", ["pretraining.grid.chain.7.zip.x=[1]"])


def test_an_override_holds_for_the_cells_that_do_not_set_the_field() -> None:
    pretraining, _ = expand(load("paper", ["pretraining.hyperparameters.mixup=0.2"]))
    assert {(r.hyperparameters.task, r.hyperparameters.mixup) for r in pretraining} == {
        ("supervised", 0.2),
        ("contrastive", 0.0),
    }


def test_unreadable_files_are_blueprint_errors(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "huge.yaml").write_bytes(b"#" * 1_000_001)
    (tmp_path / "list.yaml").write_text("[1, 2]")
    for name in ("binary.yaml", "empty.yaml", "huge.yaml", "list.yaml", "", "missing.yaml", "nul\0.yaml"):
        with pytest.raises(BlueprintError):
            load(str(tmp_path / name))
    with pytest.raises(BlueprintError, match="Did you mean 'paper'"):
        load("papr")


PATHS = ["vitzoo", "name", "licence", "pretraining", "finetuning", "pretraining.grid", "finetuning.grid"]
PATHS += [f"{stage}.{path}" for stage, model in STAGES.items() for path in known_paths(model)]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**4000),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["product", "zip", "chain", "hyperparameters.seed", "kind", ""]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(PATHS), JUNK, min_size=1, max_size=2))
def test_only_blueprint_errors_escape(changes: dict[str, Any]) -> None:
    try:
        expand(parse(replace(reader.read(MINIMAL), changes)))
    except BlueprintError as error:
        assert str(error)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PATHS) | st.text(max_size=10), st.text(max_size=8) | st.integers().map(str))
def test_only_blueprint_errors_escape_overrides(path: str, value: str) -> None:
    try:
        expand(parse(apply(reader.read(MINIMAL), [f"{path}={value}"])))
    except BlueprintError as error:
        assert str(error)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_states_command_cost_hardware_and_expectation(name: str) -> None:
    header = preset(name).split("\nvitzoo:")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    for word in ("command:   vitzoo grow " + name, "cost:", "hardware:", "expected:"):
        assert word in header
    assert len(header.partition("expected:")[2].split()) >= 3

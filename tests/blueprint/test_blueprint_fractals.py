"""What a blueprint leaves out of its fractals, and the data set that is a text."""

import hashlib

import pytest

from vitzoo.blueprint import PRESETS, expand, load, parse, sources
from vitzoo.blueprint.fractals import resolve
from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Dataset, Fractals
from vitzoo.errors import BlueprintError

SHORT = "pretraining.dataset=fractals"
WHAT = "pretraining.dataset.fractals."


def pretrained(preset: str, *overrides: str) -> Recipe:
    return expand(load(preset, [SHORT, *overrides]))[0][0]


@pytest.mark.parametrize("preset", PRESETS)
def test_one_word_is_a_data_set_of_any_preset(preset: str) -> None:
    first, second = expand(load(preset, [SHORT]))
    assert (len(first), len(second)) == (10, 240)
    found = {recipe.dataset.model_dump_json() for recipe in first}
    assert len(found) == 1
    images = [sources.images(first[0].dataset, split) for split in ("train", "test")]
    customary = {"nano": [4000, 800], "tiny-cifar": [100_000, 10_000]}
    assert images == customary.get(preset, [1_281_000, 50_000])
    settings = first[0].dataset.fractals
    assert settings is not None and settings.size == first[0].architecture.image_size
    assert settings.live == (preset not in customary)
    assert expand(parse(load(preset, [SHORT]).data))[0] == first


def test_nano_is_what_the_word_says_at_its_size() -> None:
    assert expand(load("nano", [SHORT])) == expand(load("nano"))


def test_the_recipes_of_nano_are_those_of_zoos_that_exist() -> None:
    ids = " ".join(recipe.id for stage in expand(load("nano")) for recipe in stage)
    assert hashlib.sha256(ids.encode()).hexdigest()[:16] == "9c61a3c95757e62e"
    assert "live" not in expand(load("nano"))[0][0].model_dump_json()


def test_when_images_are_drawn_is_no_factor_but_is_kept() -> None:
    live, kept = (pretrained("nano", WHAT + f"live={value}") for value in ("true", "false"))
    assert live.id == kept.id and live.name == kept.name
    assert Recipe.model_validate_json(live.model_dump_json()).dataset.fractals == live.dataset.fractals
    assert live.dataset.fractals != kept.dataset.fractals


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([WHAT + "classes=10"], {"classes": 10, "train_per_class": 1281, "size": 224, "live": False}),
        ([WHAT + "live=false"], {"classes": 1000, "live": False}),
        (["pretraining.dataset.classes=30"], {"classes": 30}),
        (["pretraining.dataset.cache_size=256"], {"size": 256, "points": 26214, "live": True}),
        ([WHAT + "size=64"], {"size": 64, "points": 4000, "train_per_class": 1281, "live": False}),
        ([WHAT + "size=128"], {"size": 128, "points": 8000, "live": False}),  # large, but to be resized
        (["pretraining.dataset.train_limit=1000", "pretraining.dataset.test_limit=100"], {"live": False}),
        (["pretraining.dataset.std=[1, 1, 1]"], {"classes": 1000, "live": True}),
    ],
)
def test_what_is_given_stands_and_the_rest_follows(overrides: list[str], expected: dict[str, object]) -> None:
    found = pretrained("paper", *overrides).dataset.fractals
    assert found is not None
    assert {name: getattr(found, name) for name in expected} == expected


def test_resolving_twice_is_resolving_once_and_other_sources_are_left_alone() -> None:
    once = resolve(Dataset(source="fractals"), 96)
    assert resolve(once, 96) == once
    digits = Dataset(source="digits")
    assert resolve(digits, 8) is digits


def test_fine_tuning_takes_the_size_of_its_parent() -> None:
    recipe = expand(load("tiny-cifar", ["finetuning.dataset=fractals"]))[1][0]
    assert recipe.dataset.fractals is not None
    assert (recipe.dataset.fractals.size, recipe.architecture.head.outputs) == (32, 200)


def test_a_text_stands_for_any_source_and_may_be_varied() -> None:
    grid = ["pretraining.dataset=digits", "pretraining.dataset.train_limit=500"]
    assert expand(load("nano", grid))[0][0].dataset == Dataset(source="digits", classes=10, train_limit=500)
    varied = load("nano", ['finetuning.grid={zip: {dataset: [digits, {source: digits, train_limit: 100}],'
                           " hyperparameters.seed: [1, 2], hyperparameters.lr: [0.1, 0.1]}}"])  # fmt: skip
    assert [recipe.dataset.train_limit for recipe in expand(varied)[1][:2]] == [None, 100]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([WHAT + "live=1"], WHAT + "live is 1; expected true or false."),
        ([WHAT + "live=true", WHAT + "size=64"], WHAT + "live is true, but size is 64 and images are read at 224"),
        ([WHAT + "points=50"], WHAT + "points is 50; expected a number greater than or equal to 100."),
        ([WHAT + "size=null"], WHAT + "size is null; expected an integer."),
        ([WHAT + "sise=64"], "--set names 'pretraining.dataset.fractals.sise', which is not a field."),
        (["pretraining.dataset.classes=20000"], WHAT + "classes is 20000; expected a number less than"),
        (["pretraining.dataset.classes=9", WHAT + "classes=8"], "pretraining.dataset.classes is 9; expected 8"),
        (["pretraining.dataset=fractal"], "pretraining.dataset.source is 'fractal'; expected digits, fractals"),
        (["pretraining.dataset=5"], "pretraining.dataset is 5; expected a mapping of fields"),
        (["pretraining.dataset=digits", WHAT + "size=64"], "pretraining.dataset.fractals is {size: 64}; expected null"),
        (["pretraining.architecture.image_size=1024"], WHAT + "size is 1024; expected a number less than or equal"),
    ],
)
def test_bad_settings_are_named(overrides: list[str], message: str) -> None:
    with pytest.raises(BlueprintError) as caught:
        load("paper", [SHORT, *overrides])
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith((".", "?"))


def test_a_complete_block_is_what_it_was() -> None:
    settings = Fractals(classes=6, train_per_class=8, test_per_class=2, size=24, points=800)
    found = resolve(Dataset(source="fractals", fractals=settings), 24).fractals
    assert found == settings.model_copy(update={"live": False})

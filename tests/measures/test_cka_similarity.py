"""Features against timm's, and the similarity of a whole zoo: its laws, its cache, and what it leaves out."""

import json

import numpy as np
import pytest
import torch
from test_weights import spoil

from vitzoo.blueprint.recipe import Recipe
from vitzoo.errors import InputError
from vitzoo.measures import inference
from vitzoo.measures.inference import Places, recipe_of, split_of, stack
from vitzoo.measures.representation.cka import cka
from vitzoo.measures.representation.features import features, layers, walk
from vitzoo.measures.representation.signing import SimilaritySetting
from vitzoo.measures.representation.similarity import similarity
from vitzoo.measures.sample import sample
from vitzoo.measures.selection import ALL, Selection, select
from vitzoo.model.vit import forward, head
from vitzoo.zoo import Member, Zoo
from vitzoo.zoo.layout import WEIGHTS

SMALL = SimilaritySetting(images=40, batch=20)


def images_of(zoo: Zoo, places: Places, name: str) -> tuple[torch.Tensor, Recipe]:
    recipe = recipe_of(zoo.member(name))
    split = split_of(places.images(recipe), "test")
    return next(inference.batches(recipe, 10, split, 50))[0], recipe


def test_features_are_timms(zoo: Zoo, places: Places) -> None:
    checkpoints = [member.checkpoint() for member in zoo.members("finetuning") if "_mlp_" in member.name]
    images, recipe = images_of(zoo, places, checkpoints[0].member.name)
    params = stack(checkpoints, recipe.architecture)
    classes, patches = (features(params, images, recipe.architecture, tokens) for tokens in ("class", "patches"))
    for k, checkpoint in enumerate(checkpoints):
        model = checkpoint.to_timm()
        with torch.no_grad():
            start = model._pos_embed(model.patch_embed(images[0]))
            middle = model.blocks(start)
            end = model.norm(middle)
        for found, expected in zip(patches[k], (start, middle, end), strict=True):
            torch.testing.assert_close(found, expected[:, 1:].mean(1), rtol=0, atol=1e-5)
        for found, expected in zip(classes[k], (middle, end), strict=True):
            torch.testing.assert_close(found, expected[:, 0], rtol=0, atol=1e-5)


def test_the_walk_ends_where_the_model_does(zoo: Zoo, places: Places) -> None:
    (member,) = [member for member in zoo.members("pretraining") if member.name.startswith("sl")]
    images, recipe = images_of(zoo, places, member.name)
    params = stack([member.checkpoint()], recipe.architecture)
    *_, (name, before), _ = walk(params, images, recipe.architecture)
    assert name == f"blocks.{recipe.architecture.depth - 1}"
    logits = forward(params, images, recipe.architecture)
    torch.testing.assert_close(head(params, before[:, :, 0]), logits, rtol=0, atol=1e-5)  # its last block is cut down


def test_a_child_begins_as_its_parent_ends(zoo: Zoo, places: Places) -> None:
    """Under the fine-tuning data's normalisation, a child before its first step has the parent's features."""
    found = similarity(select(zoo, ALL), places, SMALL)
    for layer in ("blocks.0", "norm"):
        rows, matrix = found.at(layer)
        index = {(row.member, row.epoch): i for i, row in enumerate(rows)}
        for child in zoo.members("finetuning"):
            parent = child.parent
            assert parent is not None
            at = index[parent.name, parent.epochs()[-1]]
            assert matrix[index[child.name, 0], at] == pytest.approx(1, abs=1e-5)
            if "adamw" in child.name:
                assert matrix[index[child.name, 3], at] < 0.999


@pytest.mark.parametrize("tokens", ["class", "patches"])
def test_every_entry_is_the_pairs_cka(zoo: Zoo, places: Places, tokens: str) -> None:
    setting = SimilaritySetting(images=40, batch=20, tokens=tokens, seed=3)
    found = similarity(select(zoo), places, setting)
    assert found.left_out == () and found.dataset == "digits"
    assert len(found.rows) == 10 * (2 if tokens == "class" else 3) and found.matrix.dtype == np.float64
    chosen = sample(50, 40, 3, "test")
    one, other = found.rows[0], found.rows[-1]
    by_hand = []
    for row in (one, other):
        images, recipe = images_of(zoo, places, row.member)
        params = stack([zoo.member(row.member).checkpoint(row.epoch)], recipe.architecture)
        at = layers(recipe.architecture, tokens).index(row.layer)
        by_hand.append(features(params, images[:, chosen], recipe.architecture, tokens)[0, at])
    assert found.matrix[0, -1] == pytest.approx(cka(*by_hand, batch=20), abs=1e-5)


def test_a_second_call_computes_nothing_and_more_members_only_the_rest(
    zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = select(zoo, where="stage = 'pretraining'")
    name = zoo.members("finetuning")[0].name
    similarity(few, places, SMALL, data_of=name)
    told = []
    whole = similarity(select(zoo), places, SMALL, tell=lambda *said: told.append(said))
    assert [done for done, _, _ in told] == list(range(1, 11)) and told[0][1] == 10
    monkeypatch.setattr(inference, "read_row", None)
    again = similarity(select(zoo), places, SMALL)
    assert np.array_equal(again.matrix, whole.matrix) and again.rows == whole.rows
    with pytest.raises(TypeError):  # other images are other results
        similarity(select(zoo), places, SimilaritySetting(images=40, batch=20, seed=1))


def test_damaged_bytes_are_left_out(zoo: Zoo, places: Places) -> None:
    member = zoo.members("finetuning")[2]
    spoil(member.checkpoint().path / WEIGHTS, "flipped")
    found = similarity(select(zoo), places, SMALL)
    assert [out.what for out in found.left_out] == [f"{member.name}, epoch 3"] and found.left_out[0].damaged
    assert member.name not in {row.member for row in found.rows} and found.matrix.shape == (18, 18)


def test_as_json(zoo: Zoo, places: Places) -> None:
    found = similarity(select(zoo, where="stage = 'pretraining'"), places, SMALL)
    found.matrix[0, 1] = np.nan
    plain = json.loads(json.dumps(found.plain(), allow_nan=False))
    assert plain["matrix"][0][:2] == [1.0, None] and plain["rows"][0]["layer"] == "blocks.0"
    assert plain["images"] == 40 and plain["left_out"] == []


def test_impossible_requests(zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no choice of tokens; use 'class' or 'patches'"):
        similarity(select(zoo), places, SimilaritySetting(tokens="mean"))
    with pytest.raises(InputError, match="'validation' is no split"):
        SimilaritySetting(split="validation")
    with pytest.raises(InputError, match="use at least 1"):
        similarity(select(zoo), places, SimilaritySetting(images=0))
    with pytest.raises(InputError, match="no member to compare"):
        similarity(Selection(zoo, [], []), places)
    with pytest.raises(InputError, match=r"'blocks.7'; there are: blocks.0, norm"):
        similarity(select(zoo), places, SMALL).at("blocks.7")
    original = inference.recipe_of

    def other_normalisation(member: Member) -> Recipe:
        recipe = original(member)
        if "mlp" not in member.name:
            return recipe
        return recipe.model_copy(update={"dataset": recipe.dataset.model_copy(update={"mean": (0.1, 0.2, 0.3)})})

    monkeypatch.setattr(inference, "recipe_of", other_normalisation)
    with pytest.raises(InputError, match=r"trained on 2 data sets .'digits'.*Name a member"):
        similarity(select(zoo), places, SMALL)
    assert similarity(select(zoo), places, SMALL, data_of=zoo.members("finetuning")[0].name).left_out == ()

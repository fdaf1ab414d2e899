"""Merging across trees on a zoo grown for the test, by Python and by command: judged by timm, saved, and refused."""

import json
import shutil

import numpy as np
import pytest
import torch
from study_zoo import grow
from zoo_edits import reopened, rewrite

from vitzoo.cli.main import main
from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures.inference import Places, batches
from vitzoo.merging.across import benchmark as module
from vitzoo.merging.across.methods import METHODS
from vitzoo.merging.across.mixture import mixture
from vitzoo.merging.across.reuse import reuse
from vitzoo.merging.across.run import bring, ensemble, judge, site
from vitzoo.model.timm_names import create, describe
from vitzoo.zoo import Zoo, verify

WHERE = "stage = 'finetuning' AND is_last AND optimizer = 'adamw' AND seed = 1 AND head = "


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grown")
    return grow(folder, folder / "cache")


@pytest.fixture(scope="module")
def places(grown):
    return Places(grown.parent / "data", grown.parent / "cache")


@pytest.fixture
def zoo(grown, tmp_path):
    return Zoo.open(shutil.copytree(grown, tmp_path / "zoo"))


def chosen(zoo, head="linear"):
    return [zoo.checkpoint(row["member"], row["epoch"]) for row in zoo.rows(f"{WHERE}'{head}'")]


def by_timm(place, params):
    """Return probabilities [N, C] by timm's model, and labels."""
    model = create(describe(place.recipe.architecture, place.recipe.dataset), {k: v.float() for k, v in params.items()})
    split = place.ground.split
    ((images, labels),) = batches(place.recipe, place.ground.classes, split, len(split))
    with torch.no_grad():
        return model.eval()(images[0]).softmax(dim=1), labels


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_symmetric_methods_leave_every_model_its_function(zoo, places, head):
    place = site(chosen(zoo, head), places)
    models = place.models(range(3), images=40)
    for method in ("weight-matching", "activation-matching", "merge-many", "rotation", "procrustes", "refined"):
        found = bring(models, method)
        for before, after in zip(models.raw, found.ends, strict=True):
            assert (by_timm(place, before)[0] - by_timm(place, after)[0]).abs().max() < 1e-4, method
        if found.symmetries:
            for symmetry, model, end in zip(found.symmetries, models.exact, found.ends, strict=True):
                torch.testing.assert_close(symmetry.apply(model), end)


def test_backbones_are_aligned_once_for_all_their_children(zoo, places):
    """What was found for one configuration is applied to others, changes no function, and gives averages by timm."""
    found = reuse(zoo, places, "procrustes", "head = 'linear'")
    assert len(found) == 4 and [one.own for one in found] == [True, False, False, False]
    assert {(one.configuration["optimizer"], one.configuration["seed"]) for one in found} == {
        (optimizer, seed) for optimizer in ("adamw", "sgd") for seed in (1, 2)
    }
    first = found[0].configuration
    where = f"stage = 'finetuning' AND is_last AND head = 'linear' AND optimizer = '{first['optimizer']}'"
    rows = zoo.rows(f"{where} AND seed = {first['seed']}")
    place = site([zoo.checkpoint(row["member"], row["epoch"]) for row in rows], places)
    result = bring(place.models(range(3)), "procrustes")
    outputs, labels = by_timm(place, mixture(result.ends, torch.full((3,), 1 / 3, dtype=torch.float64)))
    assert found[0].accuracy == pytest.approx(float((outputs.argmax(1) == labels).double().mean()))
    assert found[0].ends == pytest.approx(np.mean([row["test_acc"] for row in rows]))
    with pytest.raises(InputError, match="finds no symmetries"):
        reuse(zoo, places, "vanilla", "head = 'linear'")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_judged_as_timm_would(zoo, places, method):
    place = site(chosen(zoo)[:2], places)
    found = judge(place, method, points=5)
    merged = place.layout.views(found.model)
    outputs, labels = by_timm(place, merged)
    assert found.accuracy == pytest.approx(float((outputs.argmax(1) == labels).double().mean()), abs=1e-9)
    assert len(found.between.loss) == 5 and found.chance == 0.1 and found.images == 120
    assert found.ends == [one.metrics["test_acc"] for one in place.checkpoints]
    assert (found.control is None) == (METHODS[method].control is None)
    assert found.retained == pytest.approx((found.accuracy - 0.1) / (np.mean(found.ends) - 0.1))
    again = judge(place, method, points=5)
    torch.testing.assert_close(again.model, found.model)


def test_the_ensemble_is_that_of_timm(zoo, places):
    place = site(chosen(zoo), places)
    outputs = [by_timm(place, place.layout.views(row))[0] for row in place.rows]
    labels = by_timm(place, place.layout.views(place.rows[0]))[1]
    expected = float((torch.stack(outputs).mean(0).argmax(1) == labels).double().mean())
    assert ensemble(place) == pytest.approx(expected)


def test_learned_rotations_keep_ends_and_help_their_mean(zoo, places):
    place = site(chosen(zoo)[:2], places)
    vanilla, learned = (judge(place, method, points=3) for method in ("vanilla", "learned"))
    assert learned.loss < vanilla.loss
    models = place.models(range(2))
    for before, after in zip(models.raw, bring(models, "learned").ends, strict=True):
        assert (by_timm(place, before)[0] - by_timm(place, after)[0]).abs().max() < 1e-4


def test_what_cannot_be_merged_is_refused_with_a_reason(zoo, places):
    linear, mlp = chosen(zoo), chosen(zoo, "mlp")
    with pytest.raises(InputError, match="At least two models"):
        site(linear[:1], places)
    with pytest.raises(InputError, match=r"differ: architecture.head.kind is linear or mlp"):
        site([linear[0], mlp[0]], places)
    with pytest.raises(InputError, match=r"no method of merging across trees.*Did you mean 'learned'"):
        bring(site(linear[:2], places).models(range(2)), "lerned")


def test_weights_that_are_not_finite_are_refused(zoo, places):
    def spoilt(tensors):
        bias = tensors["head.bias"].copy()
        bias[0] = np.nan
        return tensors | {"head.bias": bias}

    rewrite(chosen(zoo)[0], spoilt)
    with pytest.raises(IntegrityError, match="not finite"):
        site(chosen(reopened(zoo)), places)


def test_draws_are_of_models_that_began_apart():
    rows = [{"parent_task": "supervised", "parent_seed": seed} for seed in (1, 1, 2, 3)]
    rows += [{"parent_task": "contrastive", "parent_seed": seed} for seed in (1, 2)]
    found = list(module.draws(rows, 4))
    assert [draw.kind for draw in found[::4]] == [
        "two supervised",
        "three supervised",
        "all 4 supervised",
        "two contrastive",
        "two, one of each",
        "all of both",
    ]
    for draw in found:
        starts = [rows[i]["parent_seed"] for i in draw.chosen]
        assert len(set(draw.chosen)) == len(draw.chosen)
        assert len(draw.chosen) > 3 or len(set(starts)) == len(starts)
    assert found == list(module.draws(rows, 4))
    assert len({draw.chosen for draw in found if draw.kind == "all of both"}) > 1


@pytest.fixture
def run(zoo, places, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("VITZOO_CACHE", str(places.cache))
    monkeypatch.chdir(tmp_path)

    def call(*words, code=0):
        done = main([*map(str, words)])
        out, err = capsys.readouterr()
        assert done == code, out + err
        return out + err

    return call


def test_across_saves_a_member_with_its_lineage(zoo, run):
    words = ("merge", "across", zoo.path, "--method", "fitted", "--where", f"{WHERE}'linear'", "--points", 5)
    said = run(*words)
    assert "control: vanilla-fitted" in said and "Barrier: loss" in said and "chance is 10.0 %" in said
    found = json.loads(_json(run(*words, "--json", "--name", "three")))
    member = Zoo.open(zoo.path).member("three")
    assert found["member"] == "three" and member.checkpoint().metrics["test_acc"] == found["accuracy"]
    assert member.merge["method"] == "across/fitted"
    assert [one["member"] for one in member.merge["ingredients"]] == found["members"]
    assert not verify(Zoo.open(zoo.path)).findings
    edges = Zoo.open(zoo.path).lineage().in_edges(f"three@{member.checkpoint().epoch}")
    assert {source for source, _ in edges} >= {f"{name}@4" for name in found["members"]}
    assert "procrustes: turned" in run("merge", "across", zoo.path, "--method", "list")
    assert "no method" in run("merge", "across", zoo.path, "--method", "x", "--where", f"{WHERE}'linear'", code=3)


def test_benchmark_prints_a_table_and_its_numbers(zoo, run):
    words = ("merge", "benchmark", zoo.path, "--draws", 2, "--method", "vanilla", "--method", "procrustes")
    found = json.loads(_json(run(*words, "--json")))
    assert {row["set"] for row in found["summary"]} == {"two supervised", "three supervised"}
    assert all(row["n"] == 2 for row in found["summary"])
    assert len(found["draws"]) == 8
    some = json.loads(_json(run(*words, "--json", "--set", "two supervised")))
    assert some["draws"] == [line for line in found["draws"] if line["kind"] == "two supervised"]
    assert "it has 'two supervised', 'three supervised'" in run(*words, "--set", "four", code=3)
    table = run(*words, "--markdown")
    assert "| vanilla |" in table and "| accuracy of the models, % |" in table


def _json(text):
    """Leave out what was said on stderr."""
    return text[text.index("{") : text.rindex("}") + 1]

"""Methods of merging against closed forms, brute force, timm with hooks, and planted truth."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from little_ground import batch, ground, ingredients, outputs, rows, timm_model

from vitzoo import rng
from vitzoo.errors import InputError
from vitzoo.merging import average, task_vectors
from vitzoo.merging.methods import METHODS
from vitzoo.merging.methods.fisher import diagonal
from vitzoo.merging.methods.from_parent import STEPS
from vitzoo.merging.methods.regmean import grams, inputs, shrunk
from vitzoo.merging.methods.soups import mixture, pick
from vitzoo.merging.models import read_settings
from vitzoo.model.layout import Layout

KINDS = ["linear", "mlp"]
CHOOSING = {"images": 24}


def run(method, of, **settings):
    return METHODS[method].run(of, **read_settings(method, settings))


@pytest.fixture(scope="module")
def models():
    return rows("linear", 1, 2, 3, 4, 5, 6)


def test_means_over_epochs(models):
    of = ingredients("linear", models)
    for method, given_settings, chosen in (
        ("last", {"k": 3}, slice(3, 6)),
        ("trailing", {"window": 2}, slice(4, 6)),
        ("trailing", {"window": 3, "end": 4}, slice(1, 4)),
    ):
        found = run(method, of, **given_settings)
        torch.testing.assert_close(found.model, models[chosen].double().mean(0).float())
        assert [share > 0 for share in found.shares] == [i in range(*chosen.indices(6)) for i in range(6)]
        assert sum(found.shares) == pytest.approx(1)


@pytest.mark.parametrize("method", ["uniform", "ema"])
def test_shares_make_the_model(models, method):
    found = run(method, ingredients("linear", models))
    torch.testing.assert_close(average.weighted(models, torch.tensor([found.shares]))[0], found.model)
    assert sum(found.shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("method", "settings", "said"),
    [
        ("last", {"k": 7}, "does not fit: 6 are kept up to epoch 6"),
        ("last", {"k": 1}, "does not fit"),
        ("trailing", {"window": 3, "end": 2}, "2 are kept up to epoch 2"),
        ("trailing", {"end": 9}, "no checkpoint of epoch 9; there are 1, 2, 3, 4, 5, 6"),
        ("ema", {"decay": 1}, "is no average"),
        ("ties", {"keep": 0}, "share of 0.0 cannot be kept"),
        ("dare", {"drop": 1}, "dropped with probability"),
        ("fisher", {"labels": "expect"}, "Did you mean 'expected'"),
        ("fisher", {"floor": 0}, "without any weight"),
        ("regmean", {"scale": 1.5}, "cannot be scaled by 1.5"),
        ("learned", {"steps": 0}, "cannot be learned in 0 steps"),
        ("learned", {"step": 3}, "Did you mean 'steps'"),
        ("uniform", {"k": 3}, "has no setting 'k'; it has none"),
        ("greedy", {"images": "many"}, "is no whole number"),
        ("ema", {"decay": "nan"}, "is not finite"),
        ("learned", {"per_tensor": "perhaps"}, "neither true nor false"),
        ("greddy", {}, "Did you mean 'greedy'"),
    ],
)
def test_settings_that_cannot_be(models, method, settings, said):
    of = ingredients("linear", models, ground(), parent=models[0])
    with pytest.raises(InputError, match=said):
        METHODS.get(method, METHODS["uniform"]).run(of, **read_settings(method, settings))


def brute_greedy(order, best, accuracy):
    """The soups paper's recipe 1, one at a time."""
    kept = [order[0]]
    for model in order[1:]:
        if (found := accuracy(frozenset([*kept, model]))) >= best:
            kept.append(model)
            best = found
    return kept


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(0, 10**6), st.integers(1, 6))
def test_a_greedy_soup_tried_ahead_is_the_one_tried_in_turn(count, seed, levels):
    """Planted accuracies of every soup, on few levels, so that there are ties."""

    def accuracy(soup):
        return int(rng.stream(seed, *sorted(soup)).integers(0, levels)) / levels

    order = rng.stream(seed).permutation(count).tolist()
    best = accuracy(frozenset(order[:1]))
    found = pick(order, best, lambda kept, tried: np.array([accuracy(frozenset([*kept, one])) for one in tried]))
    assert found == brute_greedy(order, best, accuracy)


def test_a_greedy_soup_of_models(models):
    where = ground(count=30)
    labels = batch(where)[1]

    def accuracy(row):
        return float((outputs(row, where).argmax(1) == labels).double().mean())

    alone = [accuracy(row) for row in models]
    order = sorted(range(6), key=lambda i: -alone[i])
    kept = brute_greedy(order, alone[order[0]], lambda soup: accuracy(average.uniform(models[list(soup)])))
    found = run("greedy", ingredients("linear", models, where))
    assert [i for i, share in enumerate(found.shares) if share] == sorted(kept)
    torch.testing.assert_close(found.model, average.uniform(models[sorted(kept)]))


def test_a_learned_soup_finds_what_was_planted():
    """Labels are those of the middle of the first two models; the third is another one."""
    middle, step, other = rows("linear", 1, 2, 3)
    models = torch.stack([middle + step / 4, middle - step / 4, other])
    labels = outputs(middle, ground(count=200)).argmax(1)
    of = ingredients("linear", models, ground(count=200, labels=labels))
    found = run("learned", of, steps=30, lr=0.3, batch=200)
    assert found.shares[2] < 0.05 and abs(found.shares[0] - found.shares[1]) < 0.2
    assert sum(found.shares) == pytest.approx(1)
    torch.testing.assert_close(found.model, average.weighted(models, torch.tensor([found.shares]))[0])
    right = (outputs(found.model, of.held_out(200)).argmax(1) == labels).float().mean()
    assert right > 0.9 > max((outputs(row, of.held_out(200)).argmax(1) == labels).float().mean() for row in models)
    each = run("learned", of, steps=30, lr=0.3, batch=200, per_tensor=True)
    assert each.shares is None
    assert F.cross_entropy(outputs(each.model, of.held_out(200)), labels) < F.cross_entropy(
        outputs(average.uniform(models), of.held_out(200)), labels
    )


def test_shares_of_tensors(models):
    parts = Layout.of(ingredients("linear", models).recipe.architecture).sizes
    shares = torch.rand(6, len(parts), dtype=torch.float64)
    spread = torch.repeat_interleave(shares, torch.tensor(parts), dim=1)
    torch.testing.assert_close(mixture(models.double(), shares, parts), (spread * models.double()).sum(0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", [name for name, one in METHODS.items() if one.parent])
def test_heads_are_averaged_where_the_parent_has_none(kind, method):
    models = rows(kind, 1, 2, 3)
    of = ingredients(kind, models, ground(kind))
    layout = of.layout
    mean = average.uniform(models)
    parent = layout.pack(
        {n: (layout.views(mean)[n] if n.startswith("head.") else x) for n, x in layout.views(rows(kind, 4)[0]).items()}
    )
    found = layout.views(run(method, ingredients(kind, models, ground(kind), parent)).model)
    for name, tensor in layout.views(mean).items():
        if name.startswith("head."):
            torch.testing.assert_close(found[name], tensor)
        elif method != "model-stock":  # which may go nowhere
            assert not torch.equal(found[name], tensor)


def test_merges_by_differences_are_those_of_their_functions(models):
    parent, children = models[0], models[1:]
    of = ingredients("linear", children, parent=parent)
    torch.testing.assert_close(run("interpolate", of, share=0).model, parent)
    torch.testing.assert_close(run("interpolate", of, share=1).model, average.uniform(children))
    torch.testing.assert_close(
        run("task-arithmetic", of, scale=0.1).model, task_vectors.arithmetic(parent, children, 0.1)
    )
    layout = of.layout
    stock = layout.views(run("model-stock", of).model)
    for name, tensor in stock.items():
        own, theirs = layout.views(parent)[name].flatten(), layout.views(children)[name].flatten(1)
        whole = average.model_stock(own, theirs, [slice(0, len(own))])
        torch.testing.assert_close(tensor.flatten(), whole)


def test_task_arithmetic_takes_the_best_scale(models):
    parent, children = models[0], models[1:]
    where = ground(count=40)
    labels = batch(where)[1]
    found = run("task-arithmetic", ingredients("linear", children, where, parent))
    tried = []
    for step in STEPS:
        seen = outputs(task_vectors.arithmetic(parent, children, step / 5), where)
        tried.append(
            (-float((seen.argmax(1) == labels).float().mean()), float(F.cross_entropy(seen, labels)), step / 5)
        )
    assert found.chosen["scale"] == pytest.approx(min(tried)[2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labels", ["expected", "true"])
def test_the_fisher_information_is_that_of_timm_one_image_at_a_time(kind, labels):
    where, row = ground(kind, 5), rows(kind, 1)[0]
    network = timm_model(kind, row)
    expected = torch.zeros(len(row), dtype=torch.float64)
    names = list(Layout.of(where.recipe.architecture).shapes)
    parameters = [dict(network.named_parameters())[name] for name in names]
    for x, y in zip(*batch(where), strict=True):
        scores = network(x[None]).log_softmax(1)[0]
        shares = scores.detach().exp() if labels == "expected" else F.one_hot(y, len(scores))
        for share, score in zip(shares, scores, strict=True):
            slopes = torch.autograd.grad(score, parameters, retain_graph=True)
            expected += share * torch.cat([slope.flatten() for slope in slopes]).double() ** 2 / 5
    found = diagonal(row, where, labels)
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=1e-5 * float(expected.max()))


def test_drawn_labels_have_the_fisher_information_as_their_expectation():
    where, row = ground(count=4), rows("linear", 1)[0]
    whole = diagonal(row, where, "expected").sum()
    drawn = torch.stack([diagonal(row, where, "drawn", seed).sum() for seed in range(200)])
    assert (drawn.mean() - whole).abs() < 4 * drawn.std() / 200**0.5
    assert drawn.std() > 0


def test_fisher_merging_is_the_weighted_mean(models):
    where = ground()
    found = run("fisher", ingredients("linear", models[:2], where), labels="expected").model
    weights = torch.stack([diagonal(row, where, "expected") for row in models[:2]])
    expected = (weights * models[:2]).sum(0) / weights.sum(0)
    clear = weights.min(0).values > 1e-3 * weights.mean()  # where the floor does not count
    torch.testing.assert_close(found[clear].double(), expected[clear], rtol=5e-3, atol=1e-4)
    same = run("fisher", ingredients("linear", models[:1].expand(3, -1), where)).model
    torch.testing.assert_close(same, models[0])


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_of_layers_are_those_that_timm_sees(kind):
    where, row = ground(kind, 6), rows(kind, 1)[0]
    x, _ = batch(where)
    seen = {}
    network = timm_model(kind, row)
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda m, given, out, name=name: seen.update({name: given[0].flatten(0, -2)}))
    with torch.no_grad():
        network(x)
    params = {name: tensor[None] for name, tensor in Layout.of(where.recipe.architecture).views(row).items()}
    found = dict(inputs(params, x[None], where.recipe.architecture))
    assert set(found) == set(seen)
    for name, own in found.items():
        torch.testing.assert_close(own[0], seen[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_models_stay_as_they_are(kind):
    row = rows(kind, 1)
    for method in ("regmean", "fisher", "uniform"):
        found = run(method, ingredients(kind, row.expand(3, -1), ground(kind))).model
        torch.testing.assert_close(found, row[0], rtol=1e-4, atol=1e-5)


def test_a_layer_fits_what_all_models_make_of_their_inputs():
    """Without scaling it is least squares on what the models' own layers see and say; here of the head."""
    where, models = ground(count=120), rows("linear", 1, 2)
    found = Layout.of(where.recipe.architecture).views(
        run("regmean", ingredients("linear", models, where), scale=1.0).model
    )
    seen, said = [], []
    for row in models:
        network = timm_model("linear", row)
        with torch.no_grad():
            x = network.forward_head(network.forward_features(batch(where)[0]), pre_logits=True)
            seen.append(np.hstack([x.numpy(), np.ones((len(x), 1))]))
            said.append(network.head(x).numpy())
    fitted = np.linalg.lstsq(np.vstack(seen).astype("f8"), np.vstack(said).astype("f8"), rcond=None)[0]
    np.testing.assert_allclose(found["head.weight"].numpy(), fitted[:-1].T, atol=2e-3)
    np.testing.assert_allclose(found["head.bias"].numpy(), fitted[-1], atol=2e-3)
    assert not np.allclose(fitted[:-1].T, models.mean(0)[-7 * 25 : -7].reshape(7, 24).numpy(), atol=2e-2)


def test_gram_matrices_are_sums_over_images():
    """Whatever the batches: twice the images are twice the sum, and a dead input is averaged."""
    params = Layout.of(ground().recipe.architecture).views(rows("linear", 1)[0])
    once, twice = grams(params, ground(count=8)), grams(params, ground(count=8, labels=[0] * 8))
    for name, gram in once.items():
        torch.testing.assert_close(gram, twice[name])
        assert gram[-1, -1] in (8, 8 * 17)
    gram = torch.tensor([[4.0, 2.0], [2.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(shrunk(gram, 0.5, 0.1), torch.tensor([[4.2, 1.0], [1.0, 0.2]], dtype=torch.float64))

"""Git Re-Basin: the head-respecting one changes no function, the naive one does, and planted orders are found."""

import pytest
import torch
from small_vits import DEPTH, HEADS, KINDS, D, distance, logits, model, order, pictures

from vitzoo.merging.across import rebasin
from vitzoo.merging.across.evidence import gather
from vitzoo.merging.symmetry import residual, units


def evidence(a, b):
    (found,) = gather(residual.fold(a), [residual.fold(b)], [pictures(24)], HEADS)
    return found


MATCHINGS = {
    "weights": lambda a, b, heads: rebasin.by_weights(a, b, heads),
    "activations": lambda a, b, heads: rebasin.by_activations(a, b, evidence(a, b), heads),
}


def permuted(params, seed):
    """Permute a model as Git Re-Basin may: stream, neurons, heads, units within heads, and an MLP head's."""
    found, stream = dict(params), order(seed, D)
    for name, tensor in params.items():
        for axis in range(tensor.dim()):
            if ((name, axis) in stream_of(params)) and tensor.shape[axis] == D:
                found[name] = found[name].index_select(axis, stream)
    width = D // HEADS
    for i in range(DEPTH):
        found = units.permute_mlp(found, i, order(seed + i, 2 * D))
        found = units.permute_heads(found, i, order(seed + i, HEADS))
        inside = torch.cat([h * width + order(seed + h, width) for h in range(HEADS)])
        name = f"blocks.{i}.attn"
        rows = torch.cat([inside, D + inside, 2 * D + inside])
        found[f"{name}.qkv.weight"] = found[f"{name}.qkv.weight"][rows]
        found[f"{name}.qkv.bias"] = found[f"{name}.qkv.bias"][rows]
        found[f"{name}.proj.weight"] = found[f"{name}.proj.weight"][:, inside]
    return units.permute_head(found, order(seed, 10)) if "head.0.weight" in found else found


def stream_of(params):
    found = {(name, 0) for name in residual.writers(params)} | {(name, 2) for name in residual.TOKENS}
    found |= {(f"{norm}.{kind}", 0) for norm in residual.readers(params) for kind in ("weight", "bias")}
    return found | {(f"{reader}.weight", 1) for reader in residual.readers(params).values()}


@pytest.mark.parametrize("name", MATCHINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_heads_kept_whole_keep_the_function_and_dense_maps_do_not(name, kind):
    one, two = model(kind, 1), model(kind, 2)
    kept, naive = (MATCHINGS[name](one, two, heads) for heads in (HEADS, None))
    assert distance(kept, two) > 1
    assert (logits(kind, kept) - logits(kind, two)).abs().max() < 1e-10
    assert (logits(kind, naive) - logits(kind, two)).abs().max() > 0.01
    if name == "weights":
        assert distance(one, naive) < distance(one, two) and distance(one, kept) < distance(one, two)


@pytest.mark.parametrize("kind", KINDS)
def test_the_planted_model_is_the_same_function(kind):
    assert (logits(kind, permuted(model(kind, 1), 3)) - logits(kind, model(kind, 1))).abs().max() < 1e-10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_activations_find_planted_orders(kind, seed):
    one = model(kind, seed)
    found = rebasin.by_activations(one, permuted(one, seed), evidence(one, permuted(one, seed)), HEADS)
    assert distance(one, found) < 1e-9


def test_weights_find_most_planted_orders():
    """Coordinate descent may stop at a local optimum; from the right stream it never does."""
    found = []
    for seed in range(6):
        one = model("linear", seed)
        found.append(distance(one, rebasin.by_weights(one, permuted(one, seed), HEADS, seed)) < 1e-9)
    assert sum(found) >= 3
    one = model("linear", 1)
    shuffled = units.permute_heads(units.permute_mlp(one, 0, order(5, 2 * D)), 1, order(6, HEADS))
    assert distance(one, rebasin.by_weights(one, shuffled, HEADS)) < 1e-12


def test_a_model_stays_where_it_matches_already():
    one = model("linear", 1)
    assert distance(one, rebasin.by_weights(one, one, HEADS)) == 0
    same = rebasin.merge_many([one, one, one], lambda a, b: rebasin.by_weights(a, b, HEADS))
    assert all(distance(one, each) == 0 for each in same)


def test_merge_many_changes_no_function():
    models = [model("linear", seed) for seed in (1, 2, 3)]
    found = rebasin.merge_many(models, lambda a, b: rebasin.by_weights(a, b, HEADS), sweeps=2)
    for before, after in zip(models, found, strict=True):
        assert (logits("linear", after) - logits("linear", before)).abs().max() < 1e-10

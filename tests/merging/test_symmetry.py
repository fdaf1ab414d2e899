"""Every symmetry leaves the logits of timm's model alone, to rounding in float64; what only looks like one does not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_vits import DEPTH, HEADS, KINDS, D, logits, mixing, model, order, rotation

from vitzoo.merging.symmetry import balance, inner, residual, units

EXACT = 1e-10

SYMMETRIES = {
    "neurons": lambda p, s: units.permute_mlp(p, s % DEPTH, order(s, 2 * D)),
    "heads": lambda p, s: units.permute_heads(p, s % DEPTH, order(s, HEADS)),
    "keys": lambda p, s: inner.mix_keys(p, s % DEPTH, mixing(s, D // HEADS)),
    "values": lambda p, s: inner.mix_values(p, s % DEPTH, mixing(s, D // HEADS)),
    "key bias": lambda p, s: inner.drop_key_bias(p, s % DEPTH),
    "value bias": lambda p, s: inner.fold_value_bias(p, s % DEPTH),
    "fold": lambda p, s: residual.fold(p),
    "centre": lambda p, s: residual.centre(residual.fold(p)),
    "rotate": lambda p, s: residual.rotate(residual.fold(p), residual.keeps_ones(rotation(s, D - 1))),
    "canonical": lambda p, s: balance.canonical(p),
    "balance": lambda p, s: balance.balance(balance.canonical(p), HEADS),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SYMMETRIES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_symmetry_leaves_the_function_alone(kind, name, seed):
    params = model(kind, seed)
    changed = SYMMETRIES[name](params, seed)
    assert any((changed[k] != params[k]).any() for k in params)
    assert (logits(kind, changed) - logits(kind, params)).abs().max() < EXACT


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000), names=st.lists(st.sampled_from(sorted(SYMMETRIES)), min_size=2, max_size=6))
def test_so_do_several_after_one_another(kind, seed, names):
    params = found = model(kind, seed)
    for i, name in enumerate(names):
        found = SYMMETRIES[name](found, seed + i)
    assert (logits(kind, found) - logits(kind, params)).abs().max() < 10 * EXACT


def test_the_neurons_of_an_mlp_head():
    params = model("mlp", 0)
    scale = torch.rand(10, dtype=torch.float64) + 0.1
    found = units.permute_head(params, order(1, 10), scale)
    assert (logits("mlp", found) - logits("mlp", params)).abs().max() < EXACT
    with pytest.raises(ValueError, match="positive"):
        units.permute_head(params, order(1, 10), -scale)
    with pytest.raises(ValueError, match="linear"):
        units.permute_head(model("linear", 0), order(1, 10))


def test_the_two_silent_mistakes_change_the_function_and_are_refused():
    """A rotation that moves the ones, and one before norms are folded."""
    params = model("linear", 0)
    folded, any_rotation = residual.fold(params), rotation(1, D)
    kept = residual.keeps_ones(rotation(1, D - 1))
    for wrong in (residual.turned(folded, any_rotation), residual.turned(params, kept)):
        assert (logits("linear", wrong) - logits("linear", params)).abs().max() > 0.1
    with pytest.raises(ValueError, match="vector of ones"):
        residual.rotate(folded, any_rotation)
    with pytest.raises(ValueError, match="not folded"):
        residual.rotate(params, kept)
    with pytest.raises(ValueError, match="not orthogonal"):
        residual.rotate(folded, 2 * kept)


def test_heads_are_permuted_whole():
    """Rows of the fused map in any order, as Git Re-Basin treats a dense layer, are no symmetry."""
    params, shuffled = model("linear", 0), order(3, 3 * D)
    name = "blocks.0.attn.qkv"
    wrong = params | {f"{name}.{kind}": params[f"{name}.{kind}"][shuffled] for kind in ("weight", "bias")}
    assert (logits("linear", wrong) - logits("linear", params)).abs().max() > 0.1


def test_balanced_factors_share_their_singular_values():
    params = balance.balance(balance.canonical(model("linear", 0)), HEADS)
    weight, bias = inner.taken(params, 0, HEADS)
    queries = torch.cat([weight[0], bias[0][..., None]], dim=-1)
    torch.testing.assert_close(queries @ queries.mT, weight[1] @ weight[1].mT)
    again = balance.balance(params, HEADS)
    for name, tensor in params.items():
        torch.testing.assert_close(again[name].abs(), tensor.abs(), rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match="canonical first"):
        balance.balance(model("linear", 0), HEADS)


def test_permutations_compose():
    params = model("linear", 0)
    one, two = order(1, 2 * D), order(2, 2 * D)
    step = units.permute_mlp(units.permute_mlp(params, 0, one), 0, two)
    once = units.permute_mlp(params, 0, one[two])
    assert all(torch.equal(step[name], once[name]) for name in params)

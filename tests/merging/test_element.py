"""Symmetries as data obey the laws of a group, and what they do to models are symmetries."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_vits import DEPTH, HEADS, KINDS, D, logits, mixing, model, order, rotation

from vitzoo.merging.symmetry.balance import balance, balancing, canonical
from vitzoo.merging.symmetry.element import Symmetry
from vitzoo.merging.symmetry.residual import keeps_ones


def drawn(seed, kind):
    width = D // HEADS
    return Symmetry(
        keeps_ones(rotation(seed, D - 1)),
        torch.stack([order(seed + i, 2 * D) for i in range(DEPTH)]),
        torch.stack([order(seed + i, HEADS) for i in range(DEPTH)]),
        torch.stack([mixing(seed + i, width) for i in range(DEPTH)]),
        torch.stack([mixing(seed + 7 + i, width) for i in range(DEPTH)]),
        order(seed, 10) if kind == "mlp" else None,
    )


def same(a, b):
    for name, tensor in a.items():
        torch.testing.assert_close(b[name], tensor, rtol=0, atol=1e-8, msg=name)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(one=st.integers(0, 500), two=st.integers(0, 500))
def test_the_laws_of_a_group(kind, one, two):
    params = canonical(model(kind, 1))
    g, h = drawn(one, kind), drawn(two, kind)
    same(h.apply(g.apply(params)), g.then(h).apply(params))
    same(params, g.then(g.inverse()).apply(params))
    same(params, g.inverse().apply(g.apply(params)))
    same(g.apply(params), Symmetry.identity(params, HEADS).then(g).apply(params))
    assert (logits(kind, g.apply(params)) - logits(kind, model(kind, 1))).abs().max() < 1e-9


def test_the_identity_changes_nothing():
    params = canonical(model("mlp", 1))
    same(params, Symmetry.identity(params, HEADS).apply(params))


def test_what_balances_a_model_fits_its_children():
    """Found on one model and applied to another of the same tree, it changes no function there either."""
    parent, child = canonical(model("linear", 1)), canonical(model("linear", 2))
    found = balancing(parent, HEADS)
    same(balance(parent, HEADS), found.apply(parent))
    assert (logits("linear", found.apply(child)) - logits("linear", child)).abs().max() < 1e-9


def test_a_head_without_full_rank_cannot_be_balanced():
    params = canonical(model("linear", 1))
    weight = params["blocks.1.attn.qkv.weight"].clone()
    weight[0] = weight[1]
    params["blocks.1.attn.qkv.weight"] = weight
    params["blocks.1.attn.qkv.bias"] = torch.zeros_like(params["blocks.1.attn.qkv.bias"])
    with pytest.raises(ValueError, match=r"blocks\.1 has factors of less than full rank"):
        balancing(params, HEADS)

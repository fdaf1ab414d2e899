"""Tokens against a plain tokenizer of linear maps written as SANE describes its own, and back to weights."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vit_zoo import LINEAR, MLP, arch, drawn

from vitzoo.blueprint.schema import Backbone, Head
from vitzoo.errors import InputError
from vitzoo.model.shapes import parameter_shapes
from vitzoo.torch import TokenLayout


def plain(weight, bias, width):
    """Tokens of one linear map, number by number."""
    tokens = []
    for row, last in zip(weight.flatten(1).tolist(), bias.tolist(), strict=True):
        numbers = [*row, last]
        for start in range(0, len(numbers), width):
            piece = numbers[start : start + width]
            tokens.append(piece + [0.0] * (width - len(piece)))
    return torch.tensor(tokens)


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(1, 40), head=st.sampled_from([LINEAR, MLP]), seed=st.integers(0, 9), noise=st.floats(-1e6, 1e6)
)
def test_tokens_become_the_same_weights_again(width, head, seed, noise):
    tensors = {name: torch.from_numpy(array) for name, array in drawn(head, seed).items()}
    layout = TokenLayout(parameter_shapes(arch(head)), width)
    found = layout.pack(tensors)
    assert found["tokens"].shape == found["mask"].shape == (layout.count, width)
    assert found["mask"].sum() == sum(tensor.numel() for tensor in tensors.values())
    back = layout.unpack(torch.where(found["mask"], found["tokens"], noise))
    assert list(back) == list(tensors) and all(torch.equal(back[name], tensors[name]) for name in tensors)
    for i, rows in enumerate(layout.rows):
        if rows.bias is not None:
            mine = found["tokens"][found["positions"][:, 1] == i]
            assert torch.equal(mine, plain(tensors[rows.name], tensors[rows.bias], width))


def test_a_vit_small_has_as_many_tokens_as_sane_counts():
    """102,728 of 288 numbers in its linear maps; the class token, positions and vectors of norms are ours."""
    vit = Backbone(image_size=224, patch_size=16, dim=384, depth=12, heads=6, head=Head(outputs=100))
    layout = TokenLayout(parameter_shapes(vit), 288)
    maps = sum(rows.count * -(-rows.length // 288) for rows in layout.rows if rows.bias)
    assert maps == 102_728
    assert layout.count - maps == 2 * (1 + 197 + 2 * 25)


def test_the_longest_row_is_the_width_unless_one_is_given():
    layout = TokenLayout(parameter_shapes(arch()))
    assert layout.width == 3 * 4 * 4 + 1  # what a patch's embedding reads, and its bias
    with pytest.raises(InputError, match=r"not \[1, 2\]"):
        layout.unpack(torch.zeros(1, 2))
    with pytest.raises(InputError, match="positive"):
        TokenLayout(parameter_shapes(arch()), -1)

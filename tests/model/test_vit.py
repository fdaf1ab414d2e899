"""The population ViT against timm: the same logits, alone and in a stack."""

import pytest
import torch

from vitzoo.blueprint.schema import Backbone, Head
from vitzoo.compat import ensure_torchvision
from vitzoo.model.init import initial
from vitzoo.model.layout import Layout
from vitzoo.model.shapes import forward_macs, parameter_shapes, parameters
from vitzoo.model.timm_names import create, describe
from vitzoo.model.vit import block, embed, forward, head

ensure_torchvision()

VIT_S = {"image_size": 224, "patch_size": 16, "dim": 384, "depth": 12, "heads": 6}
TINY = {"image_size": 16, "patch_size": 4, "dim": 48, "depth": 3, "heads": 3}
LINEAR, MLP = Head(outputs=100), Head(kind="mlp", hidden=256, outputs=100)


def backbone(fields, head, **more):
    return Backbone(**fields, head=head, **more)


def noisy(arch, seed):
    """Initial tensors with every entry moved, so that no bias is zero and no norm is the identity."""
    generator = torch.Generator().manual_seed(seed)
    return {n: t + 0.02 * torch.randn(t.shape, generator=generator) for n, t in initial(arch, seed).items()}


def timm_model(arch, tensors):
    from vitzoo.blueprint.schema import Dataset

    return create(describe(arch, Dataset(source="cifar100")), tensors)


@pytest.mark.parametrize("head", [LINEAR, MLP], ids=["linear", "mlp"])
def test_vit_small_has_timms_logits(head):
    arch = backbone(VIT_S, head)
    tensors = noisy(arch, 0)
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = forward({n: t.unsqueeze(0) for n, t in tensors.items()}, images.unsqueeze(0), arch)[0]
        theirs = timm_model(arch, tensors)(images)
    assert (ours - theirs).abs().max() <= 1e-5


@pytest.mark.parametrize("head", [LINEAR, MLP], ids=["linear", "mlp"])
def test_gradients_are_timms_in_float64(head):
    arch = backbone(TINY, head)
    tensors = {n: t.double() for n, t in noisy(arch, 0).items()}
    images = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    model = timm_model(arch, tensors).double()
    model.load_state_dict(tensors)  # create() builds in float32
    model(images).square().sum().backward()
    leaves = {n: t.unsqueeze(0).requires_grad_() for n, t in tensors.items()}
    forward(leaves, images.unsqueeze(0), arch).square().sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(leaves[name].grad[0], parameter.grad, rtol=1e-9, atol=1e-10)


def test_a_member_in_a_stack_is_the_member_alone():
    arch = backbone(TINY, LINEAR)
    rows = [noisy(arch, seed) for seed in range(3)]
    stack = {n: torch.stack([row[n] for row in rows]).double() for n in rows[0]}
    shared = torch.randn(1, 5, 3, 16, 16, dtype=torch.float64)
    own = torch.cat([shared, shared.flip(1), shared + 1])
    together, apart = forward(stack, shared, arch), forward(stack, own, arch)
    for k in range(3):
        alone = {n: t[k : k + 1] for n, t in stack.items()}
        torch.testing.assert_close(forward(alone, shared, arch)[0], together[k], rtol=0, atol=1e-12)
        torch.testing.assert_close(forward(alone, own[k : k + 1], arch)[0], apart[k], rtol=0, atol=1e-12)


def test_explicit_attention_is_fused_attention():
    from vitzoo.model.attention import attend

    qkv = torch.randn(3, 17, 3, 2, 16, dtype=torch.float64, requires_grad=True)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2)
    torch.testing.assert_close(attend(qkv), expected, rtol=0, atol=1e-12)
    weight = torch.randn_like(expected)
    ours, theirs = (torch.autograd.grad((y * weight).sum(), qkv)[0] for y in (attend(qkv), expected))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_dropping_every_branch_leaves_the_embedding():
    arch = backbone(TINY, LINEAR)
    params = {n: t.unsqueeze(0) for n, t in noisy(arch, 0).items()}
    images = torch.randn(1, 4, 3, 16, 16)
    none = forward(params, images, arch, keep=torch.zeros(3, 2, 1, 4))
    shallow = backbone({**TINY, "depth": 1}, LINEAR)
    assert torch.equal(none, forward(params, images, shallow, keep=torch.zeros(1, 2, 1, 4)))
    full = forward(params, images, arch, keep=torch.ones(3, 2, 1, 4))
    assert torch.equal(full, forward(params, images, arch))


def test_stochastic_depth_acts_per_image():
    arch = backbone(TINY, LINEAR)
    params = {n: t.unsqueeze(0) for n, t in noisy(arch, 0).items()}
    images = torch.randn(1, 2, 3, 16, 16)
    keep = torch.ones(3, 2, 1, 2)
    keep[1, 0, 0, 0] = 0
    mixed, full = forward(params, images, arch, keep), forward(params, images, arch)
    assert not torch.allclose(mixed[:, 0], full[:, 0])
    torch.testing.assert_close(mixed[:, 1], full[:, 1])


@pytest.mark.parametrize(
    ("head", "count"),
    [(Head(outputs=1000), 22_050_664), (LINEAR, 21_704_164), (MLP, 21_789_924)],
)
def test_the_papers_parameter_counts(head, count):
    assert parameters(backbone(VIT_S, head)) == count


@pytest.mark.parametrize("fields", [VIT_S, TINY])
def test_shapes_and_order_are_timms(fields):
    arch = backbone(fields, LINEAR)
    state = timm_model(arch, initial(arch, 0)).state_dict()
    assert [(n, tuple(t.shape)) for n, t in state.items()] == list(parameter_shapes(arch).items())


def flop(model, *images) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    counts = []
    for batch in (1, 2):  # the difference leaves out what is done once per member, not per image
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.zeros(*images, batch, 3, 16, 16))
        counts.append(counter.get_total_flops())
    return counts[1] - counts[0]


def test_macs_are_what_torch_counts_in_all_blocks():
    arch = backbone(TINY, MLP)
    params = {n: t.unsqueeze(0) for n, t in initial(arch, 0).items()}

    def whole(images: torch.Tensor) -> torch.Tensor:
        x = embed(params, images, arch)
        for i in range(arch.depth):
            x = block(params, f"blocks.{i}", x, arch.heads)
        return head(params, x[:, :, 0])

    assert flop(whole, 1) == 2 * forward_macs(arch)
    torch.testing.assert_close(whole(images := torch.randn(1, 2, 3, 16, 16)), forward(params, images, arch))


def test_of_the_last_block_only_what_reaches_the_head_is_computed():
    arch = backbone(TINY, MLP)
    params = {n: t.unsqueeze(0) for n, t in initial(arch, 0).items()}
    tokens, d = (16 // arch.patch_size) ** 2 + 1, arch.dim
    whole = 12 * tokens * d * d + 2 * tokens * tokens * d  # linear maps, scores and means
    left_out = whole - (12 * d * d + 2 * arch.heads * tokens * d)
    assert flop(lambda x: forward(params, x, arch), 1) == 2 * (forward_macs(arch) - left_out)


def test_views_and_pack_are_inverse():
    arch = backbone(TINY, MLP)
    layout = Layout.of(arch)
    flat = torch.randn(4, layout.width)
    assert torch.equal(layout.pack(layout.views(flat)), flat)
    with pytest.raises(ValueError, match=r"missing \['head\.0\.bias'"):
        Layout.of(arch).pack({n: t for n, t in initial(arch, 0).items() if not n.startswith("head")})

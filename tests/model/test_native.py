"""The CPU kernels against torch: forward, every gradient, all element types, odd shapes; and what refuses to work."""

import subprocess

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vitzoo.blueprint.schema import Backbone, Head
from vitzoo.errors import InputError
from vitzoo.model.init import initial
from vitzoo.model.native import build, calls
from vitzoo.model.native.block import fits
from vitzoo.model.native.build import why_not
from vitzoo.model.vit import block, forward

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"no native kernels: {why_not()}")

needs_bf16 = pytest.mark.skipif(
    why_not() is not None or not calls.has(torch.bfloat16), reason="this processor does not multiply bf16"
)
#: Largest relative error (norm of the difference / norm) against float64: a few roundings of the element type.
BOUND = {torch.float32: 2e-6, torch.bfloat16: 2e-2}


def arch_of(dim: int = 32, heads: int = 2, side: int = 16, depth: int = 2) -> Backbone:
    head = Head(kind="linear", outputs=5)
    return Backbone(image_size=side, patch_size=4, dim=dim, depth=depth, heads=heads, head=head)


def tensors(arch: Backbone, k: int, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Draw K models whose biases and gains are not the trivial ones."""
    drawn = [initial(arch, seed) for seed in range(k)]
    noise = torch.Generator().manual_seed(0)
    stacked = {name: torch.stack([each[name] for each in drawn]) for name in drawn[0]}
    return {name: (t + 0.1 * torch.randn(t.shape, generator=noise)).to(dtype) for name, t in stacked.items()}


def run(params, arch, images, keep, pull, kernels, dtype):
    leaves = {name: t.to(dtype).requires_grad_() for name, t in params.items()}
    x = images.to(dtype).requires_grad_()
    out = forward(leaves, x, arch, keep, kernels)
    return [out.detach(), *torch.autograd.grad(out, [x, *leaves.values()], pull.to(dtype))]


def error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found.double() - wanted).norm() / wanted.norm().clamp_min(1e-12))


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bf16)])
@settings(max_examples=12, deadline=None)
@given(
    k=st.integers(1, 3),
    images=st.integers(1, 3),
    side=st.sampled_from([4, 8, 16, 32]),
    shape=st.sampled_from([(16, 1), (32, 2), (48, 1), (64, 2), (96, 3)]),
    dropped=st.booleans(),
)
def test_outputs_and_all_gradients_are_those_of_torch_in_double(dtype, k, images, side, shape, dropped):
    arch = arch_of(*shape, side=side)
    params, draw = tensors(arch, k, dtype), torch.Generator().manual_seed(1)
    x = torch.randn(1, images, 3, side, side, generator=draw).to(dtype)
    keep = (torch.rand(2, 2, 1, images, generator=draw) < 0.7).float() / 0.7 if dropped else None
    pull = torch.randn(k, images, 5, generator=draw).to(dtype)
    found = run(params, arch, x, keep, pull, "native", dtype)
    wanted = run(params, arch, x, keep, pull, "plain", torch.float64)
    torchs = run(params, arch, x, keep, pull, "torch", dtype)
    for ours, theirs, exact in zip(found, torchs, wanted, strict=True):
        assert error(ours, exact) < max(BOUND[dtype], 2 * error(theirs, exact))


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=needs_bf16)])
def test_a_member_of_a_stack_is_the_same_as_alone(dtype):
    arch = arch_of()
    params, x = tensors(arch, 3, dtype), torch.randn(1, 4, 3, 16, 16).to(dtype)
    together = forward(params, x, arch, None, "native")
    for i in range(3):
        alone = forward({name: t[i : i + 1] for name, t in params.items()}, x, arch, None, "native")
        torch.testing.assert_close(together[i : i + 1], alone)


def test_extreme_scores_stay_finite():
    arch = arch_of()
    params = {name: t * 30 for name, t in tensors(arch, 1, torch.float32).items()}
    x = 100 * torch.randn(1, 2, 3, 16, 16)
    pull = torch.ones(1, 2, 5)
    found, wanted = (
        run(params, arch, x, None, pull, *how) for how in (("native", torch.float32), ("plain", torch.float64))
    )
    assert all(t.isfinite().all() for t in found)
    assert error(found[0], wanted[0]) < 1e-4


def test_each_stream_of_stochastic_depth_reaches_its_member():
    arch = arch_of(depth=1)
    params, x = tensors(arch, 2, torch.float32), torch.randn(2, 3, 17, 32)
    keep = torch.tensor([[[0.0, 1, 2], [1, 0, 1]], [[1, 1, 0], [2, 0, 0]]])
    found = block(params, "blocks.0", x, arch.heads, keep, "native")
    torch.testing.assert_close(found, block(params, "blocks.0", x, arch.heads, keep, "torch"))


def test_nothing_is_differentiated_twice_in_silence():
    arch = arch_of()
    params = {name: t.requires_grad_() for name, t in tensors(arch, 1, torch.float32).items()}
    out = forward(params, torch.randn(1, 2, 3, 16, 16), arch, None, "native").square().sum()
    grads = torch.autograd.grad(out, list(params.values()), create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grads[0].sum().backward()


def test_the_process_still_knows_subnormal_numbers():
    """-ffast-math links code into a library that makes its process flush them to zero, everywhere."""
    build.library()
    assert sum([2.0**-1060, 2.0**-1060]) == 2.0**-1059 > 0


def test_widths_that_are_no_multiple_of_16_do_not_fit():
    assert fits(arch_of(96, 3), torch.float32)
    assert not fits(arch_of(48, 2), torch.float32)  # heads of 24
    assert not fits(arch_of(96, 3), torch.float64)


def test_a_kernel_refuses_memory_with_holes():
    with pytest.raises(ValueError, match="strides"):
        calls.call("sum_rows", torch.float32, torch.zeros(1, 4, 32)[..., :16], torch.zeros(1, 16), 1, 4, 16)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A machine that has compiled nothing yet."""
    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path))
    build.library.cache_clear()
    yield tmp_path
    build.library.cache_clear()


def test_no_compiler_is_said_so(elsewhere, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "No C compiler" in (why_not() or "")


def test_a_compiler_that_fails_is_quoted(elsewhere, monkeypatch):
    broken = elsewhere / "cc"
    broken.write_text("#!/bin/sh\necho 'disk on fire' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(InputError, match="disk on fire"):
        build.library()
    assert not list((elsewhere / "native").iterdir())


def test_they_are_compiled_once(elsewhere, monkeypatch):
    build.library()
    (made,) = (elsewhere / "native").iterdir()
    assert made.suffix == ".so"
    build.library.cache_clear()
    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **k: real(command, **k) if "--version" in command else 1 / 0)
    build.library()


@pytest.mark.parametrize("target", [("-mavx2", "-mfma"), ()], ids=["AVX2", "baseline"])
def test_they_are_right_on_lesser_processors(elsewhere, monkeypatch, target):
    monkeypatch.setattr(build, "TARGETS", (target,))
    arch = arch_of(64, 2)
    params, x = tensors(arch, 1, torch.float32), torch.randn(1, 2, 3, 16, 16)
    pull = torch.randn(1, 2, 5)
    found = run(params, arch, x, None, pull, "native", torch.float32)
    wanted = run(params, arch, x, None, pull, "plain", torch.float64)
    assert max(error(a, b) for a, b in zip(found, wanted, strict=True)) < BOUND[torch.float32]

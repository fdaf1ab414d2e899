"""Products with the Hessian against timm's, differentiated twice; eigenvalues and trace against exact ones."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import vitzoo.measures.landscape.hessian as hessian_module
from vitzoo.blueprint.schema import Backbone, Dataset, Head
from vitzoo.errors import VitzooError
from vitzoo.measures.landscape import spectrum
from vitzoo.measures.landscape.hessian import hessian, loss_and_slope
from vitzoo.measures.landscape.spectrum import SpectrumError, Top, top, trace
from vitzoo.model import attention, vit
from vitzoo.model.init import initial
from vitzoo.model.layout import Layout
from vitzoo.model.timm_names import create, describe

ARCH = Backbone(image_size=8, patch_size=4, dim=4, depth=1, heads=2, mlp_ratio=1, head=Head(outputs=3))


def tiny() -> tuple[Tensor, Tensor, Tensor]:
    """Weights [P] away from any symmetry, images [9, 3, 8, 8] and labels, all float64."""
    generator = torch.Generator().manual_seed(0)
    row = Layout.of(ARCH).pack(initial(ARCH, 0)).double()
    row += 0.3 * torch.randn(row.shape, generator=generator, dtype=torch.float64)
    images = torch.randn(9, 3, 8, 8, generator=generator, dtype=torch.float64)
    return row, images, torch.arange(9) % 3


def timm_hessian(row: Tensor, images: Tensor, labels: Tensor) -> Tensor:
    """The dense Hessian of timm's model, by reverse differentiation twice."""
    layout = Layout.of(ARCH)
    model = create(describe(ARCH, Dataset(source="digits")), layout.views(row.float())).double()
    for block in model.blocks:
        block.attn.fused_attn = False

    def loss(flat: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(model, layout.views(flat), (images,)), labels)

    leaf = row.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
    return torch.autograd.grad(gradient, leaf, torch.eye(len(row), dtype=row.dtype), is_grads_batched=True)[0]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors are tiny here; threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def exact() -> Tensor:
    return timm_hessian(*tiny())


def test_products_are_those_of_timms_hessian(exact: Tensor) -> None:
    row, images, labels = tiny()
    operator = hessian(row, ARCH, [(images[:5], labels[:5]), (images[5:], labels[5:])])  # uneven on purpose
    vectors = torch.randn(len(row), 3, dtype=torch.float64)
    torch.testing.assert_close(operator @ vectors, exact @ vectors, rtol=1e-9, atol=1e-12)


def test_eigenvalues_and_trace_of_a_model(exact: Tensor) -> None:
    row, images, labels = tiny()
    matrix = hessian(row, ARCH, [(images, labels)]).to_scipy()
    found = top(matrix, 4)
    expected = torch.linalg.eigvalsh(exact).flip(0)[:4].numpy()
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)
    estimate, error = trace(matrix, found, 40)
    assert abs(estimate - float(exact.trace())) < 4 * error < 40


def test_float32_is_good_for_four_digits(exact: Tensor) -> None:
    row, images, labels = tiny()
    found = top(hessian(row.float(), ARCH, [(images.float(), labels)]).to_scipy(), 2)
    np.testing.assert_allclose(found.values, torch.linalg.eigvalsh(exact).flip(0)[:2], rtol=1e-4)


def test_loss_and_gradient_are_torchs() -> None:
    row, images, labels = tiny()
    leaf = row.clone().requires_grad_()
    expected = F.cross_entropy(vit.forward(Layout.of(ARCH).views(leaf[None]), images[None], ARCH)[0], labels)
    (gradient,) = torch.autograd.grad(expected, leaf)
    loss, slope = loss_and_slope(hessian(row, ARCH, [(images[:2], labels[:2]), (images[2:], labels[2:])]))
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    assert slope == pytest.approx(float(gradient.norm()), rel=1e-12)


def test_no_fused_kernel_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU attention is fused, which has no second derivative; a device without data stands for the GPU."""
    qkv = torch.empty(2, 5, 3, 2, 4, device="meta")
    assert attention.attend(qkv, fused=False).shape == attention.attend(qkv).shape
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *_: pytest.fail("a fused kernel"))
    assert attention.attend(qkv, fused=False).shape == (2, 5, 2, 4)
    with pytest.raises(pytest.fail.Exception):
        attention.attend(qkv)
    asked = []
    monkeypatch.setattr(
        hessian_module, "forward", lambda *a, kernels: asked.append(kernels) or vit.forward(*a, kernels=kernels)
    )
    row, images, labels = tiny()
    loss_and_slope(hessian(row, ARCH, [(images, labels)]))
    assert set(asked) == {"plain"}


def known_matrix(values: np.ndarray) -> np.ndarray:
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((len(values),) * 2))[0]
    return (turn * values) @ turn.T


def test_a_known_spectrum() -> None:
    """Of any sign: the algebraically largest are meant, and the errors bound how far they are off."""
    values = np.concatenate([[9.0, 7.0, 4.0], np.linspace(-0.5, 1, 96), [-20.0]])
    found = top(known_matrix(values), 3)
    assert (np.abs(found.values - [9, 7, 4]) <= found.errors + 1e-9).all() and (found.errors < 1e-2).all()
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(3), atol=1e-12)


def test_the_trace_is_unbiased_and_its_error_is_right() -> None:
    values = np.concatenate([[50.0, 20.0], np.linspace(-1, 2, 58)])
    matrix = known_matrix(values)
    found, nothing = top(matrix, 2), Top(np.zeros(0), np.zeros((60, 0)), np.zeros(0))
    known, plain = (np.array([trace(matrix, each, 8, seed) for seed in range(300)]) for each in (found, nothing))
    for estimates in (known, plain):
        spread = estimates[:, 0].std(ddof=1)
        assert abs(estimates[:, 0].mean() - values.sum()) < 4 * spread / np.sqrt(300)
        assert np.sqrt((estimates[:, 1] ** 2).mean()) == pytest.approx(spread, rel=0.15)
    assert known[:, 0].std() < plain[:, 0].std() / 5


def test_draws_belong_to_the_seed() -> None:
    matrix = known_matrix(np.linspace(0, 1, 40))
    found = top(matrix, 1)
    assert trace(matrix, found, 4, seed=1) == trace(matrix, found, 4, seed=1) != trace(matrix, found, 4, seed=2)


def test_no_convergence_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectrum, "RESTARTS", 1)
    with pytest.raises(SpectrumError, match="found no 5 largest eigenvalues"):
        top(np.diag(np.linspace(0, 1, 2000)), 5)


def test_curvlinops_is_asked_for_when_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "curvlinops", None)
    with pytest.raises(VitzooError, match=r"pip install 'vitzoo\[curvature\]'"):
        hessian(*tiny()[:1], ARCH, [tiny()[1:]])

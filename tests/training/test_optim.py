"""The stacked optimizer against torch.optim, member by member."""

import pytest
import torch

from vitzoo.blueprint.schema import Hyperparameters
from vitzoo.training import optim
from vitzoo.training.schedule import factor


def hyper(**more):
    return Hyperparameters(**({"seed": 0, "epochs": 4, "batch_size": 4, "lr": 1e-2} | more))


SETTINGS = [
    hyper(lr=3e-3, weight_decay=0.1),
    hyper(lr=1e-4, betas=(0.8, 0.95)),
    hyper(optimizer="sgd", lr=1e-2, momentum=0.99, weight_decay=1e-3),
    hyper(optimizer="sgd", lr=1e-3),
]


def reference(settings, parameter):
    if settings.optimizer == "adamw":
        return torch.optim.AdamW([parameter], settings.lr, settings.betas, weight_decay=settings.weight_decay)
    return torch.optim.SGD([parameter], settings.lr, settings.momentum, weight_decay=settings.weight_decay)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 2e-6)])
def test_equals_torch_optim(dtype, tolerance):
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(4, 50, dtype=dtype, generator=generator)
    singles = [torch.nn.Parameter(row.clone()) for row in flat]
    theirs = [reference(s, p) for s, p in zip(SETTINGS, singles, strict=True)]
    groups = optim.arrange(SETTINGS)
    state = optim.moments(groups, flat)
    for step in range(1, 31):
        grad = torch.randn(4, 50, dtype=dtype, generator=generator)
        optim.update(groups, flat, grad, state, step, 1.0, [True] * 4)
        for row, single, optimizer in zip(grad, singles, theirs, strict=True):
            single.grad = row.clone()
            optimizer.step()
    torch.testing.assert_close(flat, torch.stack([p.detach() for p in singles]), rtol=tolerance, atol=tolerance)


def test_the_dead_are_held_still():
    flat = torch.randn(4, 8)
    before, groups = flat.clone(), optim.arrange(SETTINGS)
    optim.update(groups, flat, torch.randn(4, 8), optim.moments(groups, flat), 1, 1.0, [True, False, True, False])
    assert torch.equal(flat[1], before[1])
    assert torch.equal(flat[3], before[3])
    assert not torch.equal(flat[0], before[0])
    assert not torch.equal(flat[2], before[2])


def test_no_second_moment_without_adamw():
    flat = torch.zeros(2, 3)
    assert set(optim.moments(optim.arrange(SETTINGS[2:]), flat)) == {"first"}


def test_clipping_is_torchs_per_member():
    grad = torch.randn(3, 40) * torch.tensor([[0.01], [1.0], [100.0]])
    for row, clipped in zip(grad, optim.clip_rows(grad, 1.0), strict=True):
        parameter = torch.nn.Parameter(torch.zeros(40))
        parameter.grad = row.clone()
        torch.nn.utils.clip_grad_norm_([parameter], 1.0)
        torch.testing.assert_close(clipped, parameter.grad)


def test_cosine_is_torchs():
    settings = hyper(schedule="cosine", epochs=5)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15)
    for step in range(15):
        assert factor(settings, step, 3) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_warmup_is_linear_and_then_constant():
    settings = hyper(warmup_epochs=2.0)
    assert [factor(settings, step, 2) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]

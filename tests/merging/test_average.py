"""Averages against torch's own, closed forms and each other."""

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vitzoo.merging import average, task_vectors


@pytest.fixture
def models():
    return torch.randn(6, 40, generator=torch.Generator().manual_seed(0))


def as_module(row):
    module = torch.nn.Linear(len(row), 1, bias=False)
    with torch.no_grad():
        module.weight.copy_(row[None])
    return module


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (average.uniform, {}),
        (lambda x: average.exponential(x, 0.9), {"multi_avg_fn": get_ema_multi_avg_fn(0.9)}),
    ],
)
def test_means_are_those_of_torch(models, ours, theirs):
    averaged = AveragedModel(as_module(models[0]), **theirs)
    for row in models:
        averaged.update_parameters(as_module(row))
    torch.testing.assert_close(ours(models), averaged.module.weight.detach()[0])


def test_windows(models):
    found = average.trailing(models, 3)
    assert len(found) == 4
    torch.testing.assert_close(found[-1], average.uniform(models[-3:]))
    torch.testing.assert_close(average.trailing(models, 6)[0], average.uniform(models))
    for window in (0, 7):
        with pytest.raises(ValueError, match="does not fit"):
            average.trailing(models, window)


def test_soups_as_products(models):
    shares = torch.full((1, 6), 1 / 6)
    torch.testing.assert_close(average.weighted(models, shares)[0], average.uniform(models))
    torch.testing.assert_close(average.weighted(models, torch.eye(6)), models)


def test_between_parent_and_child(models):
    for share, expected in ((0.0, models[0]), (1.0, models[1]), (0.5, average.uniform(models[:2]))):
        torch.testing.assert_close(average.interpolated(models[0], models[1], share), expected)


def test_model_stock_goes_to_the_mean_as_far_as_models_agree():
    parent = torch.zeros(3)
    whole = [slice(0, 3)]
    apart, same = torch.eye(3), torch.ones(2, 3)
    torch.testing.assert_close(average.model_stock(parent, apart, whole), parent)
    torch.testing.assert_close(average.model_stock(parent, same, whole), same[0])
    two = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.75**0.5, 0.0]])  # at 60 degrees: t = 2 · ½ / (½ + 1)
    torch.testing.assert_close(average.model_stock(parent, two, whole), 2 / 3 * two.mean(dim=0))
    with pytest.raises(ValueError, match="two models"):
        average.model_stock(parent, same[:1], whole)


def test_task_arithmetic(models):
    parent = models[0]
    torch.testing.assert_close(task_vectors.arithmetic(parent, models[1:2]), models[1])
    torch.testing.assert_close(task_vectors.arithmetic(parent, models[1:], 1 / 5), average.uniform(models[1:]))


def test_ties_by_hand():
    """Of each row the two largest are kept; the third number's signs disagree, and the larger wins."""
    parent = torch.tensor([1.0, 1.0, 1.0, 1.0])
    steps = torch.tensor([[4.0, 0.1, 3.0, 0.2], [2.0, 0.1, -5.0, 0.3]])
    found = task_vectors.ties(parent, parent + steps, keep=0.5)
    torch.testing.assert_close(found, parent + torch.tensor([3.0, 0.0, -5.0, 0.0]))
    everything = task_vectors.ties(parent, parent + steps[:1], keep=1.0)
    torch.testing.assert_close(everything, parent + steps[0])
    with pytest.raises(ValueError, match="above 0"):
        task_vectors.ties(parent, parent + steps, keep=0)


def test_dare_keeps_the_expectation(models):
    parent, child = models[0], models[1:2].expand(4000, -1)
    found = task_vectors.dare(parent, child, drop=0.5)
    assert 0.45 < (found == parent).double().mean() < 0.55
    assert (found.mean(dim=0) - models[1]).abs().max() < 0.2
    torch.testing.assert_close(task_vectors.dare(parent, child, drop=0.0), child)
    torch.testing.assert_close(task_vectors.dare(parent, child, seed=1), task_vectors.dare(parent, child, seed=1))
    with pytest.raises(ValueError, match="probability"):
        task_vectors.dare(parent, child, drop=1.0)

"""Losses against references written another way: explicit pairs, plain loops, torch's own cross-entropy."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from little_population import LINEAR, recipe

from vitzoo.data.pipeline import Pipeline
from vitzoo.training.objectives import Batch, Supervised
from vitzoo.training.objectives.contrastive import info_nce


def outputs(k: int, n: int, c: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(k, n, c, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def info_nce_by_pairs(z: torch.Tensor, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """One member's loss and right answers [2B], as a classification of the partner among the other views."""
    n = len(z)
    logits, labels = [], []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        logits.append(torch.stack([F.cosine_similarity(z[i], z[j], dim=0) for j in others]) / temperature)
        labels.append(others.index((i + n // 2) % n))
    stacked, target = torch.stack(logits), torch.tensor(labels)
    return F.cross_entropy(stacked, target, reduction="none"), stacked.argmax(1) == target


def info_nce_by_loops(z: np.ndarray, temperature: float) -> list[float]:
    """The formula of SimCLR, Equation 1, with exponentials and sums."""
    unit = [row / math.sqrt(sum(x * x for x in row)) for row in z]
    losses = []
    for i in range(len(z)):
        exp = [math.exp(float(unit[i] @ unit[j]) / temperature) for j in range(len(z))]
        losses.append(-math.log(exp[(i + len(z) // 2) % len(z)] / (sum(exp) - exp[i])))
    return losses


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 6), st.integers(1, 9), st.floats(0.05, 2.0), st.integers(0, 99))
def test_info_nce_is_a_classification_of_pairs(pairs: int, width: int, temperature: float, seed: int) -> None:
    z = outputs(3, 2 * pairs, width, seed)
    score = info_nce(z, temperature)
    for k in range(3):
        loss, right = info_nce_by_pairs(z[k], temperature)
        torch.testing.assert_close(score.loss[k], loss, rtol=1e-10, atol=1e-10)
        if width > 1:  # on a line every view has ties
            assert torch.equal(score.right[k].bool(), right)


def test_info_nce_is_the_papers_formula() -> None:
    z = outputs(2, 10, 4)
    loss = info_nce(z, 0.07).loss
    for k in range(2):
        np.testing.assert_allclose(loss[k].numpy(), info_nce_by_loops(z[k].numpy(), 0.07), rtol=1e-10)


def test_info_nce_is_symmetric_in_the_views() -> None:
    z = outputs(2, 12, 5)
    swapped = info_nce(z.roll(6, dims=1), 0.1)
    torch.testing.assert_close(info_nce(z, 0.1).loss, swapped.loss.roll(6, dims=1), rtol=1e-12, atol=1e-12)


def test_top_1_is_the_share_of_views_that_find_their_partner() -> None:
    a = torch.eye(4, dtype=torch.float64)
    z = torch.cat([a, 2 * a[[0, 1, 3, 2]]])  # images 2 and 3 find each other's view
    assert info_nce(z.unsqueeze(0), 0.1).right[0].tolist() == [True, True, False, False] * 2


def test_info_nce_of_half_precision_is_that_of_its_values() -> None:
    z = outputs(2, 16, 6, dtype=torch.bfloat16)
    torch.testing.assert_close(info_nce(z, 0.07).loss.double(), info_nce(z.double(), 0.07).loss, rtol=1e-5, atol=1e-5)


def supervised(smoothing: float = 0.0) -> Supervised:
    made = recipe(LINEAR, label_smoothing=smoothing)
    return Supervised(made, Pipeline(made.augmentation, made.hyperparameters, made.dataset, 8, 10))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_soft_cross_entropy_is_torchs(dtype: torch.dtype) -> None:
    logits = outputs(3, 20, 10, dtype=dtype)
    soft = torch.rand(20, 10, generator=torch.Generator().manual_seed(1)).softmax(1)
    labels = soft.argmax(1)
    score = supervised().score(logits, Batch(torch.empty(0), soft.unsqueeze(0), labels.unsqueeze(0)))
    for k in range(3):
        exact = logits[k].double()
        expected = F.cross_entropy(exact, soft.double(), reduction="none")
        torch.testing.assert_close(score.loss[k].double(), expected, rtol=1e-6, atol=1e-6)
        assert torch.equal(score.right[k].bool(), exact.argmax(1) == labels)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_label_smoothing_is_torchs(smoothing: float) -> None:
    objective = supervised(smoothing)
    images = torch.randint(0, 256, (16, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    labels = torch.arange(16) % 10
    batch = objective.train_batch(images, labels, [(1, 1, 0)])
    logits = outputs(2, 16, 10)
    score = objective.score(logits, batch)
    for k in range(2):
        expected = F.cross_entropy(logits[k], labels, label_smoothing=smoothing, reduction="none")
        torch.testing.assert_close(score.loss[k], expected, rtol=1e-6, atol=1e-6)


def test_evaluation_ignores_smoothing() -> None:
    objective = supervised(0.3)
    images = torch.zeros(16, 3, 8, 8, dtype=torch.uint8)
    labels = torch.arange(16) % 10
    logits = outputs(2, 16, 10)
    loss = objective.score(logits, objective.test_batch(images, labels, (1, "test", 0))).loss
    torch.testing.assert_close(loss[1], F.cross_entropy(logits[1], labels, reduction="none"), rtol=1e-12, atol=1e-12)

"""Agreement and κ against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score

from vitzoo.measures.agreement import agreement, between


@pytest.mark.parametrize("classes", [2, 10, 300])
def test_agrees_with_scikit_learn(classes: int) -> None:
    random = np.random.default_rng(classes)
    predictions = random.integers(0, classes, (6, 500)).astype(np.min_scalar_type(classes - 1))
    predictions[3] = predictions[2]
    predictions[4, :250] = predictions[2, :250]
    share, kappa = agreement(predictions, classes)
    for i, a in enumerate(predictions):
        for j, b in enumerate(predictions):
            assert share[i, j] == pytest.approx(accuracy_score(a, b), abs=1e-12)
            assert kappa[i, j] == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)


def test_members_that_always_say_the_same_have_no_kappa() -> None:
    share, kappa = agreement(np.zeros((2, 5), np.uint8), 3)
    assert share[0, 1] == 1 and np.isnan(kappa[0, 1])


def test_only_common_images_are_compared() -> None:
    a, b = np.array([0, 1, 2, 0], np.uint8), np.array([0, 1, 1, 1], np.uint8)
    share, kappa = between([("x", a), None, ("y", a), ("x", b)], [3, 3, 3, 3])
    assert share[0, 3] == share[3, 0] == 0.5
    assert share[0, 0] == share[2, 2] == 1
    assert np.isnan(share[1]).all() and np.isnan(share[0, 2]) and np.isnan(kappa[2, 3])

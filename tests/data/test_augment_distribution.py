"""Parameters have the distributions of torchvision's and timm's own draws."""

import random

import numpy as np
import pytest
import torch
from scipy import stats
from timm.data import mixup as timm_mixup
from timm.data import random_erasing
from torchvision import transforms as T

from vitzoo import rng
from vitzoo.blueprint.schema import Blur, Jitter
from vitzoo.data.augment import blur, crop, erase, flip, jitter, mix, resized_crop, rotate

N = 100_000
SURE = 1e-3  # draws are fixed, so a test passes always or never; chance is behind fewer than one in a thousand


def alike(ours, theirs):
    assert stats.ks_2samp(np.asarray(ours, float), np.asarray(theirs, float)).pvalue > SURE


def uniform(values, low, high):
    assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > SURE


@pytest.mark.parametrize(
    ("scale", "ratio"),
    [((0.08, 1.0), (3 / 4, 4 / 3)), ((0.9, 1.0), (2.0, 3.0))],
    ids=["usual", "falls back"],
)
def test_resized_crop_is_torchvisions(scale, ratio):
    torch.manual_seed(0)
    image = torch.empty(3, 32, 32)
    theirs = np.array([T.RandomResizedCrop.get_params(image, list(scale), list(ratio)) for _ in range(N // 4)])
    ours = np.stack(resized_crop.draw(rng.stream("rrc"), N, 32, scale, ratio), 1)
    for column in range(4):
        alike(ours[:, column], theirs[:, column])
    alike(ours[:, 2] * ours[:, 3], theirs[:, 2] * theirs[:, 3])
    alike(ours[:, 3] / ours[:, 2], theirs[:, 3] / theirs[:, 2])
    alike(ours[:, 0] + 3 * ours[:, 3], theirs[:, 0] + 3 * theirs[:, 3])


def test_resized_crop_stays_inside():
    for ratio in ((3 / 4, 4 / 3), (2.0, 3.0), (0.2, 0.4)):
        top, left, height, width = resized_crop.draw(rng.stream("rrc"), N, 17, (0.5, 1.0), ratio)
        assert top.min() >= 0 and left.min() >= 0 and height.min() >= 1 and width.min() >= 1
        assert (top + height).max() <= 17 and (left + width).max() <= 17


def test_erasing_is_timms(monkeypatch):
    boxes = []

    class Recorder:
        def __setitem__(self, where, value):
            boxes.append((where[1].start, where[1].stop, where[2].start, where[2].stop))

    random.seed(0)
    monkeypatch.setattr(random_erasing, "_get_pixels", lambda *_, **__: None)
    theirs = random_erasing.RandomErasing(probability=0.25, mode="pixel", device="cpu")
    for _ in range(N):
        theirs._erase(Recorder(), 3, 32, 32, None)
    ours = erase.draw(rng.stream("erase"), N, 32, 0.25).box
    ours = ours[ours[:, 1] > ours[:, 0]]
    assert abs(len(ours) - len(boxes)) < 5 * np.sqrt(2 * N * 0.25 * 0.75)
    theirs = np.array(boxes)
    for column in range(4):
        alike(ours[:, column], theirs[:, column])
    alike(
        (ours[:, 1] - ours[:, 0]) * (ours[:, 3] - ours[:, 2]), (theirs[:, 1] - theirs[:, 0]) * np.ptp(theirs[:, 2:], 1)
    )


def test_mixing_is_timms():
    np.random.seed(0)
    theirs = timm_mixup.Mixup(0.8, 1.0, switch_prob=0.5)
    drawn = []
    for _ in range(N // 4):
        lam, cut = theirs._params_per_batch()
        if cut:
            (top, bottom, left, right), lam = timm_mixup.cutmix_bbox_and_lam((3, 16, 16), lam)
            drawn.append((lam, 1, top, bottom, left, right))
        else:
            drawn.append((lam, 0, 0, 0, 0, 0))
    reference = np.array(drawn)
    stream = rng.stream("mix")
    params = [mix.draw(stream, 16, 0.8, 1.0) for _ in range(N)]
    ours = np.array([(p.lam[0], p.cut[0], *p.box[0]) for p in params])
    assert stats.binomtest(int(ours[:, 1].sum()), N, 0.5).pvalue > SURE
    for cut in (0, 1):
        a, b = ours[ours[:, 1] == cut], reference[reference[:, 1] == cut]
        for column in (0, 2, 3, 4, 5) if cut else (0,):
            alike(a[:, column], b[:, column])


def test_mixup_lambda_is_beta():
    stream = rng.stream("mixup")
    lam = [mix.draw(stream, 16, 0.8, 0.0).lam[0] for _ in range(N)]
    assert stats.kstest(lam, stats.beta(0.8, 0.8).cdf).pvalue > SURE


def test_jitter_is_torchvisions():
    settings = Jitter(brightness=0.5, contrast=0.3, saturation=1.0, hue=0.1, probability=0.8)
    torch.manual_seed(0)
    ranges = T.ColorJitter(0.5, 0.3, 1.0, 0.1)
    limits = (ranges.brightness, ranges.contrast, ranges.saturation, ranges.hue)
    theirs = [T.ColorJitter.get_params(*limits) for _ in range(N // 10)]
    ours = jitter.draw(rng.stream("jitter"), N, settings)
    assert stats.binomtest(int(ours.active.sum()), N, 0.8).pvalue > SURE
    for number, limit in enumerate(limits):
        uniform(ours.factor[:, number], *limit)
        alike(ours.factor[:, number], [drawn[1 + number] for drawn in theirs])
    orders = np.unique(ours.order @ [1000, 100, 10, 1], return_counts=True)[1]
    assert len(orders) == 24 and stats.chisquare(orders).pvalue > SURE


def test_simple_draws():
    uniform(rotate.draw(rng.stream("rotation"), N, 10.0).degrees, -10, 10)
    uniform(blur.draw(rng.stream("blur"), N, Blur(kernel=3)).sigma, 0.1, 2.0)
    assert stats.binomtest(int(flip.draw(rng.stream("flip"), N, 0.3).mirrored.sum()), N, 0.3).pvalue > SURE
    corners = crop.draw(rng.stream("crop"), N, 8)
    assert stats.chisquare(np.bincount(corners.top * 9 + corners.left)).pvalue > SURE
    assert len(np.unique(corners.top * 9 + corners.left)) == 81

"""The chaos game in C is the chaos game in torch, bit for bit; where it cannot be compiled, torch does it."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vitzoo import rng
from vitzoo.blueprint.schema import Fractals
from vitzoo.data.sources import chaos, fractals, ifs, render

compiled = pytest.mark.skipif(chaos.library() is None, reason="no C compiler, or a processor without fused products")


@pytest.fixture
def by_torch(monkeypatch):
    monkeypatch.setattr(chaos, "library", lambda: None)


def arguments(seed: int, batch: int) -> list[torch.Tensor]:
    """Maps, edges, shift and flips of random contractions, as `render.counts` takes them."""
    draw = rng.stream("chaos", seed)
    maps = draw.uniform(-0.6, 0.6, (batch, ifs.MAPS, 6))
    weights = draw.uniform(0, 1, (batch, ifs.MAPS)) * (draw.random((batch, ifs.MAPS)) < 0.7) + 1e-3
    maps, shares = (torch.from_numpy(each.astype(np.float32)) for each in (maps, weights / weights.sum(1)[:, None]))
    shift, flips = torch.from_numpy(draw.random(batch, np.float32)), torch.from_numpy(draw.integers(0, 2, (2, batch)))
    return [maps, render.edges(shares), shift, flips.float()]


@compiled
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), batch=st.integers(1, 9), points=st.integers(100, 3000), size=st.integers(8, 90))
def test_counts_and_colours_are_those_of_torch(seed, batch, points, size):
    maps, ends, shift, flips = arguments(seed, batch)
    found = render.counts(maps, ends, shift, points, size, flips)
    wanted = render.place(render.walk(maps, ends, shift, points), size, flips)
    assert torch.equal(found, wanted)
    assert (found.sum((1, 2)) == render.drawn(points)).all() and render.drawn(points) >= points
    palette = torch.from_numpy(rng.stream(seed).integers(0, 1 << 24, (batch, int(found.max()) + 1), np.int32))
    for interleaved in (False, True):
        shape = (2, batch, size, size, 3) if interleaved else (2, batch, 3, size, size)
        empty = torch.zeros(shape, dtype=torch.uint8)
        views = empty.permute(0, 1, 4, 2, 3) if interleaved else empty
        chaos.colour(found, palette, views[0])
        render._look_up(found, palette, views[1])
        assert torch.equal(*views)


@compiled
def test_images_of_another_layout_are_refused():
    with pytest.raises(ValueError, match="strides"):
        chaos.colour(torch.zeros(1, 4, 4), torch.zeros(1, 2), torch.zeros(1, 3, 4, 8, dtype=torch.uint8)[..., :4])


@compiled
@pytest.mark.parametrize("awkward", ["a point", "a line", "a shift of one", "one map", "memory with holes"])
def test_awkward_systems_are_the_same_too(awkward):
    maps, ends, shift, flips = arguments(3, 4)
    if awkward == "a point":
        maps[:] = 0.0
    elif awkward == "a line":
        maps[:, :, 2:4] = maps[:, :, 5:] = 0.0
    elif awkward == "a shift of one":
        shift[:] = 1.0
    elif awkward == "one map":
        ends[:] = 1.0
    else:
        maps = torch.cat([maps, maps], dim=2)[:, :, :6]
        ends, flips = ends.repeat(1, 2)[:, :7], flips.t().contiguous().t()
    found = render.counts(maps, ends, shift, 500, 20, flips)
    assert torch.equal(found, render.place(render.walk(maps, ends, shift, 500), 20, flips))


def picture_digest() -> str:
    look = Fractals(classes=6, train_per_class=8, test_per_class=2, size=24, points=800)
    return hashlib.sha256(fractals.images(fractals.systems(0, 6), look, "train", np.arange(48)).tobytes()).hexdigest()


@compiled
def test_whole_images_and_classes_are_the_same(monkeypatch):
    found = picture_digest()
    monkeypatch.setattr(chaos, "library", lambda: None)
    assert found == picture_digest()


def test_an_image_by_torch_does_not_depend_on_its_neighbours(by_torch):
    look = Fractals(classes=5, train_per_class=600, test_per_class=1, size=16, points=100)
    drawn = fractals.systems(2, 5)
    whole = fractals.draw(drawn, look, "train", np.arange(3000))
    for i in (0, 17, 2999):
        assert torch.equal(fractals.draw(drawn, look, "train", np.array([i]))[0], whole[i])


def test_without_a_compiler_or_a_place_for_its_work_torch_draws(monkeypatch, tmp_path):
    (tmp_path / "full").write_text("a file where the cache should be")
    for variable, value in (("CC", "no-such-compiler"), ("VITZOO_CACHE", str(tmp_path / "full"))):
        with monkeypatch.context() as changed:
            changed.setenv(variable, value)
            chaos.library.cache_clear()
            assert chaos.library() is None
            assert render.counts(*arguments(0, 2)[:3], 200, 16).sum() == 400
    chaos.library.cache_clear()

"""A batch in micro-batches is the batch: loss, right answers and gradient, however it is cut."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from little_population import LINEAR, MIXED, MLP, PROJECTION, VIEWS, population, recipe, trained
from torch.func import functional_call

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Head
from vitzoo.model.shapes import tokens
from vitzoo.model.timm_names import create, describe
from vitzoo.training import gradient as module
from vitzoo.training import loop, passes
from vitzoo.training.chunks import chunks, part, spans
from vitzoo.training.compute import Compute
from vitzoo.training.fitting import Fitting
from vitzoo.training.gradient import Gradient, gradient
from vitzoo.training.passes import Drawn
from vitzoo.training.start import from_scratch

KINDS = {"linear": (LINEAR, MIXED), "mlp": (MLP, MIXED), "contrastive": (PROJECTION, VIEWS)}
SEEDS = {"one": [7], "shared": [7, 7, 7], "own": [7, 8, 9], "some": [7, 8, 7, 9, 8]}
BOUND = {"float64": 1e-12, "float32": 1e-5, "bf16": 2e-2}  # bf16 sums its 8 bits in another order
TOKENS = tokens(recipe().architecture)


def steps(head: Head, more: dict[str, Any], seeds: list[int], precision: str) -> tuple[loop._Loop, Drawn]:
    """A population after a little moving, and its first batch."""
    recipes = [recipe(head, **more, seed=seed, lr=1e-3 * (i + 1)) for i, seed in enumerate(seeds)]
    stack = population(recipes, precision)
    run = loop._Loop(stack, loop.begin(stack, list(map(from_scratch, recipes))), lambda share: None)
    run.state.flat += 0.02 * torch.randn(run.state.flat.shape, generator=torch.Generator().manual_seed(0))
    return run, run.draw(0, np.arange(16 * len(run.seeds)))


def with_micro(run: loop._Loop, drawn: Drawn, micro: int | None) -> Gradient:
    return gradient(run.state.flat, run.problem, drawn, Fitting(micro))


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_micro_batches_add_up(kind: str, seeds: str, precision: str) -> None:
    run, drawn = steps(*KINDS[kind], SEEDS[seeds], precision)
    whole = with_micro(run, drawn, None)
    views = drawn.images
    for images in (1, 3, views // 2, views - 1, views, 2 * views, 100 * views):
        found = with_micro(run, drawn, images * TOKENS)
        for name, ours, theirs in zip(Gradient._fields, found, whole, strict=True):
            error = (ours - theirs).norm() / theirs.norm()
            assert error <= BOUND[precision] or name == "right", f"{name} with {images} images at once: {error}"
        if precision == "float64":
            assert torch.equal(found.right, whole.right)


@pytest.mark.parametrize("head", [LINEAR, MLP])
def test_the_gradient_is_that_of_timms_model_image_by_image(head: Head) -> None:
    """Not ours against ours: timm's modules, torch's cross-entropy, one image at a time."""
    run, drawn = steps(head, {"label_smoothing": 0.1, "mixup": 0.8}, [7, 8, 7], "float64")
    found = with_micro(run, drawn, 5 * TOKENS)
    assert drawn.batch.targets is not None and drawn.streams is not None
    for k, one in enumerate(run.population.recipes):
        model = create(describe(one.architecture, one.dataset), from_scratch(one)).double()
        weights = {n: t.clone().requires_grad_() for n, t in run.problem.layout.views(run.state.flat[k]).items()}
        stream, n = int(drawn.streams[k]), drawn.images
        for image, target in zip(drawn.batch.images[stream].double(), drawn.batch.targets[stream], strict=True):
            outputs = functional_call(model, weights, (image.unsqueeze(0),))
            (torch.nn.functional.cross_entropy(outputs, target.double().unsqueeze(0)) / n).backward()
        theirs = run.problem.layout.pack({n: t.grad for n, t in weights.items() if t.grad is not None})
        torch.testing.assert_close(found.grad[k], theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_life_in_micro_batches(kind: str) -> None:
    """Weights, metrics and evaluation of whole trainings; the last batch of an evaluation is smaller."""
    head, more = KINDS[kind]
    recipes: list[Recipe] = [recipe(head, **more, seed=seed, clip=1.0) for seed in (7, 8)]
    whole = trained(recipes, "float64")[-1]
    stack = replace(population(recipes, "float64"), compute=Compute("cpu", "float64", micro=7 * TOKENS))
    cut = list(loop.train(stack, loop.begin(stack, list(map(from_scratch, recipes)))))[-1]
    torch.testing.assert_close(cut.state.flat, whole.state.flat, rtol=1e-9, atol=1e-9)
    for ours, theirs in zip(cut.metrics, whole.metrics, strict=True):
        assert ours and theirs
        for name in theirs.keys() - {"images_per_second"}:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-9)


@pytest.mark.parametrize("fails", [0, 1, 3])
def test_a_loss_of_all_outputs_is_carried_back(fails: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a team, whose outputs come together: through the graph that is kept, or what memory allows instead."""
    run, drawn = steps(PROJECTION, VIEWS, [7, 8, 7], "float64")
    whole, real, failed = with_micro(run, drawn, None), torch.autograd.grad, []

    def grad(outputs: torch.Tensor, inputs: Any, *pull: torch.Tensor) -> Any:
        if pull and len(failed) < fails:
            failed.append(outputs.shape)
            raise MemoryError
        return real(outputs, inputs, *pull)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    fitting = Fitting()
    found = module._cached(run.state.flat, run.problem, drawn, fitting)
    assert len(failed) == fails and fitting.reduced == (fails > 0)
    for ours, theirs in zip(found, whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_a_gradient_changes_nothing() -> None:
    run, drawn = steps(PROJECTION, VIEWS, [7, 8], "float32")
    before = run.state.flat.clone()
    with_micro(run, drawn, 3 * TOKENS)
    assert torch.equal(run.state.flat, before)
    assert not run.state.flat.requires_grad


def test_a_chunk_has_no_more_tokens_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = passes.forward

    def watched(params: dict, images: torch.Tensor, *rest: Any) -> torch.Tensor:
        seen.append(len(params["cls_token"]) * images.shape[1] * TOKENS)
        return real(params, images, *rest)

    monkeypatch.setattr(passes, "forward", watched)
    for kind in ("linear", "contrastive"):
        run, drawn = steps(*KINDS[kind], [7, 8, 7, 8, 7], "float32")
        for images in (1, 5, 16, 33):
            seen.clear()
            with_micro(run, drawn, images * TOKENS + 2)
            assert max(seen) <= images * TOKENS
            assert sum(seen) % (5 * drawn.images * TOKENS) == 0


@given(st.integers(1, 40), st.integers(1, 70), st.integers(1, 300), st.none() | st.integers(1, 10**6))
def test_chunks_cover_everything_once(members: int, images: int, per_image: int, micro: int | None) -> None:
    cut = chunks(members, images, per_image, micro)
    for spans_, n in ((cut.members, members), (cut.images, images)):
        assert [i for span in spans_ for i in range(n)[span]] == list(range(n))
        lengths = [span.stop - span.start for span in spans_]
        assert max(lengths) - min(lengths) <= 1
    if micro is not None:
        assert cut.largest <= max(1, micro // per_image)
        assert len(cut.images) == 1 or micro < images * per_image
    assert cut.single == (len(cut.members) == len(cut.images) == 1)
    assert micro is not None or cut.single


@given(st.integers(0, 100), st.integers(1, 9))
def test_parts_are_spans(n: int, count: int) -> None:
    parts = [part(n, i, count) for i in range(count)]
    assert [i for one in parts for i in range(n)[one]] == list(range(n))
    assert spans(n, max(1, -(-n // count)))[0] == parts[0]

"""Curvature of a zoo: against exact Hessians, from the cache, and what it leaves out."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_weights import spoil

from vitzoo.errors import InputError
from vitzoo.measures import inference
from vitzoo.measures.inference import Places, pipeline_of, recipe_of, split_of
from vitzoo.measures.landscape import curvature as module
from vitzoo.measures.landscape.curvature import CurvatureSetting, curvature
from vitzoo.measures.landscape.spectrum import SpectrumError
from vitzoo.measures.sample import sample
from vitzoo.measures.selection import Selection, select
from vitzoo.model.layout import Layout
from vitzoo.model.vit import forward
from vitzoo.zoo import Checkpoint, Zoo
from vitzoo.zoo.layout import WEIGHTS

SMALL = CurvatureSetting(images=24, top=2, probes=3)
FEW = "task = 'contrastive' OR (optimizer = 'adamw' AND head = 'mlp')"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors are tiny here; threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_against_the_exact_hessian(zoo: Zoo, places: Places) -> None:
    selection = select(zoo, where=FEW)
    found = curvature(selection, places, CurvatureSetting(images=24, top=2, probes=30))
    assert [out.what for out in found.left_out] == [f"{selection.rows[0]['member']}, epoch 2"]
    assert (
        found.left_out[0].why == "its task is contrastive, which has no cross-entropy" and not found.left_out[0].damaged
    )
    one = found.found[0]
    recipe = recipe_of(zoo.member(one.member))
    data, layout = places.images(recipe), Layout.of(recipe.architecture)
    pixels, labels = split_of(data, "train").gather(sample(128, 24, 0, "train"))
    images = pipeline_of(recipe, 10).eval_batch(pixels).double()
    row = inference.read_row(zoo.checkpoint(one.member, one.epoch), layout).double()

    def loss(flat: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(forward(layout.views(flat[None]), images[None], recipe.architecture)[0], labels)

    leaf = row.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
    basis = torch.eye(len(row), dtype=row.dtype).split(200)
    parts = [torch.autograd.grad(gradient, leaf, each, is_grads_batched=True, retain_graph=True)[0] for each in basis]
    exact = torch.cat(parts)
    np.testing.assert_allclose(one.eigenvalues, torch.linalg.eigvalsh(exact).flip(0)[:2], rtol=1e-3)
    assert abs(one.trace - float(exact.trace())) < 4 * one.trace_error
    assert one.loss == pytest.approx(loss(row).item(), rel=1e-5)
    assert one.gradient_norm == pytest.approx(gradient.norm().item(), rel=1e-4)
    assert (one.images, one.parameters) == (24, len(row))


def test_a_second_call_computes_nothing(zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    selection = select(zoo, where=FEW)
    first = curvature(selection, places, SMALL, tell=lambda *said: told.append(said[:2]))
    assert told == [(1, 3), (2, 3), (3, 3)]
    monkeypatch.setattr(module, "_compute", None)
    assert curvature(selection, places, SMALL) == first
    assert [one.member for one in first.found] == [row["member"] for row in selection.rows[1:]]
    plain = json.loads(json.dumps(first.plain(), allow_nan=False))
    assert plain["found"][0]["eigenvalues"] == list(first.found[0].eigenvalues) and plain["setting"]["probes"] == 3
    with pytest.raises(TypeError):  # other probes are other results
        curvature(selection, places, CurvatureSetting(images=24, top=2, probes=4))


def test_what_cannot_be_measured_is_left_out(zoo: Zoo, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    selection = select(zoo, where="stage = 'finetuning' AND head = 'mlp'")
    damaged, *others = (row["member"] for row in selection.rows)
    spoil(zoo.checkpoint(damaged).path / WEIGHTS, "flipped")
    original = inference.read_row

    def read_row(checkpoint: Checkpoint, layout: Layout) -> torch.Tensor:
        row = original(checkpoint, layout)
        return row * (1e30 if checkpoint.member.name == others[0] else 1)

    def top(*_: object) -> None:
        raise SpectrumError("The Lanczos method found nothing.")

    monkeypatch.setattr(inference, "read_row", read_row)
    monkeypatch.setattr(module, "top", top)
    found = curvature(selection, places, SMALL)
    assert found.found == () and [out.damaged for out in found.left_out] == [True, False, False, False]
    reasons = [out.why for out in found.left_out]
    assert "another digest" in reasons[0] and "not finite" in reasons[1]
    assert reasons[2:] == ["The Lanczos method found nothing"] * 2


def test_impossible_requests(zoo: Zoo, places: Places) -> None:
    with pytest.raises(InputError, match="2 probes for a standard error"):
        CurvatureSetting(probes=1)
    with pytest.raises(InputError, match="'all' is no split"):
        CurvatureSetting(split="all")
    assert curvature(Selection(zoo, [], []), places).found == ()

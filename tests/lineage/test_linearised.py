"""Neural Lineage without learning, on tiny models whose parents are known."""

import numpy as np
import pytest
import torch

from vitzoo.blueprint.schema import Backbone, Head
from vitzoo.errors import InputError
from vitzoo.lineage.methods import linearised as module
from vitzoo.lineage.methods.linearised import features, linear, linearised, similarities
from vitzoo.lineage.truth import as_parents
from vitzoo.measures.representation.cka import cka
from vitzoo.measures.representation.features import features as layer_features
from vitzoo.model.init import initial

ARCH = Backbone(image_size=8, patch_size=4, dim=16, depth=2, heads=2, head=Head(outputs=3))
ROOTS, CHILDREN = 2, 3
PARENTS = np.array([-1, -1, *np.repeat(np.arange(ROOTS), CHILDREN)])


@pytest.fixture(scope="module")
def images():
    return torch.randn(1, 40, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def params():
    """Two random models, then three children of each, a small step away."""
    generator = torch.Generator().manual_seed(1)
    roots = [initial(ARCH, seed) for seed in range(ROOTS)]
    found = {}
    for name, tensor in roots[0].items():
        own = torch.stack([root[name] for root in roots])
        steps = torch.randn(ROOTS * CHILDREN, *tensor.shape, generator=generator) * 0.01
        found[name] = torch.cat([own, own.repeat_interleave(CHILDREN, dim=0) + steps])
    return found


def doubled(params, which):
    return {name: tensor[which].double() for name, tensor in params.items()}


def test_features_are_the_class_tokens_of_the_last_layer(params, images):
    torch.testing.assert_close(features(params, images, ARCH), layer_features(params, images, ARCH)[:, -1])


def test_linear_child_is_the_finite_difference_along_the_step(params, images):
    parents, children = doubled(params, [0, 1, 0]), doubled(params, [2, 5, 1])
    h, shown = 1e-5, images[:, :5].double()
    ahead, behind = (
        features({name: p + sign * h * (children[name] - p) for name, p in parents.items()}, shown, ARCH)
        for sign in (1, -1)
    )
    expected = features(parents, shown, ARCH) + (ahead - behind) / (2 * h)
    torch.testing.assert_close(linear(parents, children, shown, ARCH), expected, rtol=1e-6, atol=1e-7)


def test_linear_child_misses_by_the_square_of_the_step(params, images):
    parents, shown = doubled(params, [0]), images.double()
    missed = []
    for share in (0.1, 0.01):
        near = {name: p + share * (params[name][[2]].double() - p) for name, p in parents.items()}
        missed.append((linear(parents, near, shown, ARCH) - features(near, shown, ARCH)).norm())
    assert missed[0] / missed[1] == pytest.approx(100, rel=0.1)


def test_a_model_linearised_at_itself_is_itself(params, images):
    found = similarities(params, images, ARCH, np.eye(len(PARENTS), dtype=bool))
    np.testing.assert_allclose(np.diagonal(found), 1, atol=1e-6)
    assert np.isnan(found[~np.eye(len(PARENTS), dtype=bool)]).all()


def test_children_are_most_like_what_their_own_parent_foresees(params, images):
    candidates = np.zeros((len(PARENTS),) * 2, bool)
    candidates[:ROOTS, ROOTS:] = True
    found = similarities(params, images, ARCH, candidates)
    assert (np.isfinite(found) == candidates).all()
    assert found[:ROOTS, ROOTS:].argmax(axis=0).tolist() == PARENTS[ROOTS:].tolist()


def test_similarity_is_cka_however_pairs_are_cut_and_without_heads(params, images, monkeypatch):
    candidates = ~np.eye(len(PARENTS), dtype=bool)
    found = similarities(params, images, ARCH, candidates)
    expected = cka(
        linear(doubled(params, [1]), doubled(params, [4]), images.double(), ARCH)[0],
        features(doubled(params, [4]), images.double(), ARCH)[0],
    )
    assert found[1, 4] == pytest.approx(expected, abs=1e-5)
    monkeypatch.setattr(module, "MEMORY", 1)
    backbones = {name: tensor for name, tensor in params.items() if not name.startswith("head")}
    assert module.together(backbones, ARCH, images) == 1
    np.testing.assert_allclose(similarities(backbones, images, ARCH, candidates), found, atol=1e-5)


def test_what_shows_nothing_is_like_nothing_and_few_images_are_refused(params, images):
    """Without its final norm's gain a model says the same of all images."""
    dead = {name: tensor[[0, 2]].clone() for name, tensor in params.items()}
    dead["norm.weight"][1] = 0
    assert similarities(dead, images, ARCH, ~np.eye(2, dtype=bool))[0, 1] == 0
    with pytest.raises(InputError, match="at least 4"):
        similarities(dead, images[:, :3], ARCH, np.eye(2, dtype=bool))


def test_trees_join_to_a_forest_within_families(params, images):
    families = np.where(PARENTS < 0, np.arange(len(PARENTS)), PARENTS)
    within = families[:, None] == families[None, :]
    found = as_parents(linearised(similarities(params, images, ARCH, within), families))
    assert (found < 0).sum() == ROOTS
    assert all(families[child] == families[parent] for child, parent in enumerate(found) if parent >= 0)


def test_trees_take_the_most_similar_edges_and_no_unknown_ones():
    similarity = np.full((4, 4), np.nan)
    similarity[0, 1], similarity[1, 0], similarity[1, 2], similarity[0, 2] = 0.9, 0.4, 0.5, 0.7
    assert linearised(similarity, np.array([7, 7, 7, 1])).tolist() == [-1, 0, 0, -1]
    with pytest.raises(ValueError, match="do not reach"):
        linearised(similarity, np.zeros(4, int))

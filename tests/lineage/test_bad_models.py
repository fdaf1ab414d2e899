"""Models that no lineage can be recovered of, and those that only look so."""

import numpy as np
import pytest
from planted import PARTS, forest, write

from vitzoo.errors import InputError, IntegrityError
from vitzoo.lineage.case import Case
from vitzoo.lineage.models import find_models, open_models
from vitzoo.lineage.recover import BLIND, METHODS, recover
from vitzoo.lineage.truth import as_parents
from vitzoo.zoo import safetensors_io


@pytest.fixture
def family(tmp_path):
    x, parents = forest(1, 1, 2, 2)
    return write(tmp_path, x), parents


def test_different_shapes_are_named(family, tmp_path):
    paths, _ = family
    wide = {PARTS[0].name: np.zeros((8, 8), np.float32)}
    safetensors_io.write(tmp_path / "wide.safetensors", wide)
    with pytest.raises(InputError, match=r"different shapes \(blocks.0.attn"):
        open_models([*paths, tmp_path / "wide.safetensors"])


def test_no_vit_and_no_model(tmp_path):
    safetensors_io.write(tmp_path / "other.safetensors", {"conv.weight": np.zeros((3, 3), np.float32)})
    with pytest.raises(InputError, match="no matrices"):
        open_models([tmp_path / "other.safetensors"])
    with pytest.raises(InputError, match="no model"):
        open_models([])
    with pytest.raises(InputError, match="no folder"):
        find_models(tmp_path / "nothing")
    (tmp_path / "cut.safetensors").write_bytes(b"\x08")
    with pytest.raises(IntegrityError):
        open_models([tmp_path / "cut.safetensors"])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named(tmp_path, bad):
    x, _ = forest(1, 1, 2, 2)
    x[3, 5] = bad
    with pytest.raises(InputError, match=r"3.safetensors holds values in blocks.0.attn.q.weight"):
        recover(Case(open_models(write(tmp_path, x))))


def test_of_equal_models_the_first_is_the_parent(tmp_path):
    """Which was there first cannot be known, so it is the one that was named first, and nothing else changes."""
    x, parents = forest(1, 1, 2, 3)
    twice = np.vstack([x, x[2], x[2]])
    found = recover(Case(open_models(write(tmp_path, twice))))
    assert found.tolist() == [*parents.tolist(), 2, 2]


@pytest.mark.parametrize("method", BLIND)
def test_one_model_has_no_parent(tmp_path, method):
    x, _ = forest(1, 1, 1, 1)
    assert recover(Case(open_models(write(tmp_path, x[:1])), 1), method).tolist() == [-1]


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.told])
def test_fewer_models_than_trees(family, method):
    with pytest.raises(InputError, match="5 models cannot be 99 trees"):
        recover(Case(open_models(family[0]), 99), method)


@pytest.mark.parametrize("method", BLIND)
def test_all_models_equal(tmp_path, method):
    x, _ = forest(1, 1, 1, 1)
    as_parents(recover(Case(open_models(write(tmp_path, np.repeat(x[:1], 4, axis=0))), 2), method))

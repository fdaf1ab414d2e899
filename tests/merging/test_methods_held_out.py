"""Images to choose by: truly held out where a data set was limited, and said so where none are."""

import numpy as np
import pytest
from little_ground import recipe

from vitzoo.blueprint.schema import Dataset
from vitzoo.measures.inference import Places
from vitzoo.merging.held_out import held_out, training

TRAINING = 1437  # digits


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    return Places(folder / "data", folder / "cache")


def of(limit):
    found = recipe()
    architecture = found.architecture.model_copy(
        update={"head": found.architecture.head.model_copy(update={"outputs": 10})}
    )
    dataset = Dataset(source="digits", train_limit=limit, test_limit=50)
    return found.model_copy(update={"architecture": architecture, "dataset": dataset})


def pictures(split):
    x, y = split.gather(np.arange(len(split)))
    return [image.numpy().tobytes() for image in x], y.numpy()


def all_of(array):
    return {np.ascontiguousarray(image.transpose(2, 0, 1)).tobytes() for image in array}


def test_nobody_saw_what_is_held_out(places):
    chosen = of(100)
    found = held_out(chosen, [chosen.dataset, of(300).dataset, Dataset(source="cifar10")], places)
    assert not found.seen and "no model was trained on" in found.note
    own, labels = pictures(found.ground.split)
    limited, whole = places.images(of(300)), places.images(of(None))
    assert not set(own) & all_of(limited.x_train)
    assert set(own) | all_of(limited.x_train) == all_of(whole.x_train)  # all that is left
    assert not set(own) & all_of(whole.x_test)
    assert len(labels) == TRAINING - 300
    again = held_out(chosen, [chosen.dataset], places, most=50)
    own, labels = pictures(again.ground.split)
    assert len(labels) == 50 and np.bincount(labels, minlength=10).tolist() == [5] * 10
    assert not set(own) & all_of(places.images(chosen).x_train)
    assert pictures(held_out(chosen, [chosen.dataset], places, most=50).ground.split)[0] == own


@pytest.mark.parametrize("limits", [[None], [100, None], [100, TRAINING]])
def test_where_all_were_seen_it_is_said(places, limits):
    """Also where only an ancestor saw them."""
    chosen = of(limits[0])
    found = held_out(chosen, [of(limit).dataset for limit in limits], places)
    assert found.seen and "no image is held out" in found.note
    own, labels = pictures(found.ground.split)
    assert set(own) <= all_of(places.images(chosen).x_train)
    assert len(labels) == (TRAINING // 10 if limits[0] is None else 10)
    assert np.ptp(np.bincount(labels, minlength=10)) <= 1


def test_training_images(places):
    found = training(of(100), places, 30)
    own, labels = pictures(found.split)
    assert len(labels) == 30 and set(own) <= all_of(places.images(of(100)).x_train)
    assert len(training(of(100), places, 1000).split) == 100

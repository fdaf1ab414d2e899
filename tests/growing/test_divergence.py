"""A member that diverges is recorded with its epoch and keeps its last finite weights; its siblings are unharmed."""

import numpy as np
from little_grow import TEXT

from vitzoo.blueprint import expand, load
from vitzoo.growing import populate
from vitzoo.growing.execution import Execution
from vitzoo.growing.grow import _add_members
from vitzoo.growing.jobs import GrowPopulation, Places
from vitzoo.zoo import Zoo
from vitzoo.zoo.verification import verify

EXECUTION = Execution(device="cpu", precision="float32", tokens=1)


def grown(path, rates):
    """Grow one population of backbones with these SGD rates, keeping only the last of five epochs."""
    overrides = [
        "finetuning=null",
        f"pretraining.grid={{product: {{hyperparameters.lr: {rates}}}}}",
        "pretraining.hyperparameters.optimizer=sgd",
        "pretraining.hyperparameters.momentum=0.99",
        "pretraining.hyperparameters.epochs=5",
        "pretraining.checkpoints={every: 5, initial: false}",
    ]
    path.mkdir()
    (path / "b.yaml").write_text(TEXT)
    blueprint = load(path / "b.yaml", overrides)
    (recipes, _) = expand(blueprint)
    places = Places(path / "zoo", path, path / "cache")
    zoo = Zoo.create(places.zoo, name="d", licence="CC0-1.0", blueprint=blueprint.to_yaml(), execution={})
    _add_members(zoo, recipes)
    job = GrowPopulation("job", tuple(recipes), EXECUTION, places, frozenset(), 1.0)
    events = []
    populate.grow(job, events.append, lambda share: None)
    return zoo, [zoo.member(recipe.name) for recipe in recipes], events


def test_the_last_finite_weights_are_kept(tmp_path):
    zoo, (fine, wild), events = grown(tmp_path / "both", [0.01, 100.0])
    assert (fine.status, wild.status) == ("finished", "diverged")
    ends = [line["epoch"] for line in wild.curve() if line.get("diverged")]
    assert len(ends) == 1
    assert wild.epochs() == [ends[0] - 1]  # kept although the recipe keeps epoch 5 only
    assert all(np.isfinite(tensor).all() for tensor in wild.checkpoint().tensors().values())
    assert [event.diverged for event in events if getattr(event, "diverged", [])] == [[wild.name]]
    assert verify(zoo, deep=True).findings == []


def test_siblings_are_unharmed(tmp_path):
    _, (beside, _), _ = grown(tmp_path / "wild", [0.01, 100.0])
    _, (calm, _), _ = grown(tmp_path / "calm", [0.01, 0.02])
    assert beside.checkpoint().sha256 == calm.checkpoint().sha256

"""The study of averages against state dicts averaged by hand in timm's models, and what it does with broken zoos."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from study_zoo import KEPT, MEMBERS, grow
from zoo_edits import reopened, rewrite

from vitzoo.errors import InputError
from vitzoo.measures.inference import Places, recipe_of
from vitzoo.merging.study import judge, shelf
from vitzoo.merging.study.averages import Averages
from vitzoo.merging.study.run import stored, study
from vitzoo.zoo import Checkpoint, Zoo

LAST = 3


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    return grow(tmp_path_factory.mktemp("grown"), cache)


@pytest.fixture(scope="module")
def places(cache: Path) -> Places:
    return Places(cache / "nothing", cache)


@pytest.fixture(scope="module")
def made(grown: Path, places: Places, tmp_path_factory: pytest.TempPathFactory) -> Averages:
    """The study of a copy, so that the zoo itself has no cache."""
    return study(Zoo.open(shutil.copytree(grown, tmp_path_factory.mktemp("made") / "zoo")), places, LAST)


@pytest.fixture
def zoo(grown: Path, tmp_path: Path) -> Zoo:
    return Zoo.open(shutil.copytree(grown, tmp_path / "zoo"))


def by_hand(checkpoints: list[Checkpoint], places: Places) -> tuple[float, float]:
    """Average state dicts in float64, load them into timm's model, and count on the test images."""
    states = [checkpoint.state_dict() for checkpoint in checkpoints]
    model = checkpoints[0].to_timm()
    mean = {name: torch.stack([state[name].double() for state in states]).mean(0).float() for name in states[0]}
    model.load_state_dict(mean)
    recipe = recipe_of(checkpoints[0].member)
    images = places.images(recipe)
    shape = (1, 3, 1, 1)
    centre, scale = (torch.tensor(each).reshape(shape) for each in (recipe.dataset.mean, recipe.dataset.std))
    labels = torch.tensor(np.array(images.y_test)).long()
    pixels = torch.tensor(np.array(images.x_test)).movedim(-1, 1).float() / 255
    with torch.no_grad():
        outputs = model.eval()((pixels - centre) / scale)
    loss = torch.nn.functional.cross_entropy(outputs, labels)
    return float((outputs.argmax(1) == labels).float().mean()), float(loss)


def test_averages_over_epochs_are_those_of_state_dicts(grown: Path, places: Places, made: Averages) -> None:
    zoo = Zoo.open(grown)
    assert len(made.members) == MEMBERS and made.left_out == () and made.notes == ()
    for row in made.members.iloc[::5].to_dict("records"):
        accuracy, loss = by_hand([zoo.checkpoint(row["member"], epoch) for epoch in (2, 3, 4)], places)
        assert row["average"] == pytest.approx(accuracy, abs=1e-6)
        assert row["average_loss"] == pytest.approx(loss, rel=1e-5)


def test_soups_are_those_of_state_dicts(grown: Path, places: Places, made: Averages) -> None:
    zoo = Zoo.open(grown)
    assert made.soups["factor"].value_counts().to_dict() == {"optimizer": MEMBERS // 2, "seed": MEMBERS // 2}
    for row in made.soups.iloc[::5].to_dict("records"):
        accuracy, loss = by_hand([zoo.checkpoint(name) for name in row["members"]], places)
        assert row["average"] == pytest.approx(accuracy, abs=1e-6)
        assert row["average_loss"] == pytest.approx(loss, rel=1e-5)
        assert len({zoo.member(name).parent.name for name in row["members"]}) == 1
    assert made.soups.loc[made.soups["factor"] == "seed", "seed"].isna().all()
    assert made.soups.loc[made.soups["factor"] == "seed", "optimizer"].notna().all()


def test_windows_along_fine_tuning(grown: Path, places: Places, made: Averages) -> None:
    zoo = Zoo.open(grown)
    assert len(made.windows) == MEMBERS * KEPT
    assert made.windows.loc[made.windows["average"].isna(), "epoch"].unique().tolist() == [1, 2]
    name = made.windows["member"].iloc[0]
    own = made.windows[made.windows["member"] == name].set_index("epoch")
    accuracy, _ = by_hand([zoo.checkpoint(name, epoch) for epoch in (1, 2, 3)], places)
    assert own.loc[3, "average"] == pytest.approx(accuracy, abs=1e-6)


def test_what_is_compared_is_what_training_recorded(grown: Path, made: Averages) -> None:
    rows = pd.DataFrame(Zoo.open(grown).rows("stage = 'finetuning' AND epoch > 0"))
    recorded = rows.set_index(["member", "epoch"])["test_acc"]
    plain = made.windows.set_index(["member", "epoch"])["plain"]
    assert np.allclose(plain, recorded.loc[plain.index], atol=1e-6)
    last = recorded.unstack()[[2, 3, 4]]
    members = made.members.set_index("member")
    assert np.allclose(members["best"], last.max(axis=1)[members.index], atol=1e-6)
    assert np.allclose(members["mean"], last.mean(axis=1)[members.index], atol=1e-6)
    assert np.allclose(members["final"], last[4][members.index], atol=1e-6)
    train = rows[rows["is_last"]].set_index("member")["train_acc_clean"].astype(float)
    assert np.allclose(members["gap"], train[members.index] - members["final"], atol=1e-6)
    soup = made.soups.iloc[0]
    alone = [recorded[name, 4] for name in soup["members"]]
    assert (soup["best"], soup["mean"]) == (pytest.approx(max(alone)), pytest.approx(np.mean(alone)))


def test_json_round_trip(made: Averages) -> None:
    import json

    read = json.loads(json.dumps(made.plain(), allow_nan=False))
    assert read["last"] == LAST and read["left_out"] == [] and read["notes"] == []
    for name in ("members", "windows"):
        again = pd.DataFrame(read[name], columns=getattr(made, name).columns)
        for column in again:
            assert again[column].astype(object).where(again[column].notna(), None).tolist() == [
                None if value is None or value != value else value for value in getattr(made, name)[column].tolist()
            ]
    assert [tuple(row["members"]) for row in read["soups"]] == made.soups["members"].tolist()
    assert [row["average"] for row in read["soups"]] == made.soups["average"].tolist()


def test_each_checkpoint_is_read_once_and_nothing_twice(
    zoo: Zoo, places: Places, made: Averages, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stored(zoo) is None
    read: list[Path] = []
    plainly = shelf.read_row
    monkeypatch.setattr(shelf, "read_row", lambda one, layout: read.append(one.path) or plainly(one, layout))
    first = study(zoo, places, LAST)
    assert len(read) == len(set(read)) == MEMBERS * KEPT
    monkeypatch.setattr(judge, "score", None)  # whoever computes fails
    for again in (study(zoo, places, LAST), stored(Zoo.open(zoo.path))):
        assert again is not None and again.plain() == first.plain() == made.plain()
    assert len(read) == MEMBERS * KEPT


def test_little_room_changes_nothing(zoo: Zoo, places: Places, made: Averages, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []

    class Narrow(shelf.Shelf):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, room=1)  # type: ignore[arg-type, misc]

        def row(self, row: dict) -> torch.Tensor:
            found = super().row(row)
            kept.append(len(self._rows))
            return found

    monkeypatch.setattr(judge, "Shelf", Narrow)
    assert study(zoo, places, LAST).plain() == made.plain()
    assert max(kept) == 1


def test_damaged_weights_cost_the_averages_they_are_in(zoo: Zoo, places: Places, made: Averages) -> None:
    first, second = made.members["member"].iloc[[0, 1]]
    for name, epoch in ((first, 1), (second, 4)):
        rewrite(zoo.checkpoint(name, epoch), lambda t: {k: v + 1 for k, v in t.items()}, sign=False)
    for _ in range(2):  # damage is not cached
        found = study(reopened(zoo), places, LAST)
        assert {out.what for out in found.left_out} == {f"{first}, epoch 1", f"{second}, epoch 4"}
        assert all(out.damaged and "digest" in out.why for out in found.left_out)
        assert set(made.members["member"]) - set(found.members["member"]) == {second}
        windows = found.windows.set_index(["member", "epoch"])
        assert (first, 1) not in windows.index and np.isnan(windows.loc[(first, 3), "average"])
        assert not np.isnan(windows.loc[(first, 4), "average"]) and not np.isnan(windows.loc[(second, 3), "average"])
        gone = [second in names for names in made.soups["members"]]
        assert found.soups["members"].tolist() == made.soups[~np.array(gone)]["members"].tolist()
    kept = made.members[made.members["member"] != second]
    assert found.members["average"].tolist() == kept["average"].tolist()


def test_missing_checkpoints_are_named(zoo: Zoo, places: Places, made: Averages) -> None:
    first, second = made.members["member"].iloc[[0, 1]]
    shutil.rmtree(zoo.checkpoint(first, 3).path)
    (zoo.checkpoint(second, 4).path / "manifest.json").write_text("{")
    found = study(reopened(zoo), places, LAST)
    assert {out.what: out.why for out in found.left_out}[f"{first}, epoch 3"] == "it is missing"
    assert second in {out.what for out in found.left_out}
    assert set(made.members["member"]) - set(found.members["member"]) == {first, second}
    assert not found.windows.set_index("member").loc[first, "average"].notna().any()
    assert any(first in names for names in found.soups["members"])  # its last checkpoint is there


def test_weights_that_are_not_finite_after_averaging_are_named(zoo: Zoo, places: Places, made: Averages) -> None:
    """Weights so large that the outputs overflow are sound bytes, but no model."""
    name = made.members["member"].iloc[0]
    rewrite(zoo.checkpoint(name, 4), lambda t: {k: np.full_like(v, 1e38) for k, v in t.items()})
    found = study(reopened(zoo), places, LAST)
    assert {"the outputs of the average are not finite"} == {out.why for out in found.left_out}
    assert name not in set(found.members["member"]) and len(found.members) == MEMBERS - 1


def test_images_that_are_not_at_hand(zoo: Zoo, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vitzoo.errors import DataError

    def missing(self: Places, recipe: object) -> None:
        raise DataError("The digits are gone.")

    monkeypatch.setattr(Places, "labelled", missing)
    with pytest.raises(InputError, match="The digits are gone"):
        study(zoo, places, LAST)


def test_zoos_without_anything_to_average(zoo: Zoo, places: Places) -> None:
    with pytest.raises(InputError, match="No member keeps 5 checkpoints of its fine-tuning; the most is 4"):
        study(zoo, places)
    with pytest.raises(InputError, match="at least 2"):
        study(zoo, places, 1)
    shutil.rmtree(zoo.path / "finetuning")
    (zoo.path / "finetuning").mkdir()
    with pytest.raises(InputError, match="no finished fine-tuned member"):
        study(reopened(zoo), places, LAST)

"""Memory and disk that run out while growing: said in a sentence, nothing lost, and it goes on where it stopped."""

import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import team_grow
import torch
from little_grow import hashes, only

from vitzoo.blueprint import Recipe, expand, load
from vitzoo.errors import VitzooError
from vitzoo.growing import shortage
from vitzoo.growing.engines.contract import Beat
from vitzoo.growing.events import EpochDone, Note
from vitzoo.growing.grow import config_of, plan_jobs
from vitzoo.growing.jobs import Places
from vitzoo.growing.shortage import NotEnoughMemory
from vitzoo.training import evaluate, passes
from vitzoo.zoo import Zoo
from vitzoo.zoo.member import Member

TOKENS = 5


class Grown:
    """A zoo of one contrastive member and its two children, whose jobs are done in this process."""

    def __init__(self, path: Path, cache: Path) -> None:
        blueprint = path.parent / "pair.yaml"
        blueprint.write_text(team_grow.TEXT)
        self.zoo = team_grow.begin(path, blueprint, devices=1)
        self.stages = expand(load(blueprint))
        self.recipes: list[Recipe] = [recipe for stage in self.stages for recipe in stage]
        names = {recipe.id: recipe.name for recipe in self.recipes}
        for recipe in self.recipes:
            self.zoo.add_member(config_of(recipe, names))
        (path / ".grow").mkdir()
        self.places, self.told = Places(path, cache, cache), list[Any]()

    def members(self) -> list[Member]:
        return [Zoo.open(self.zoo.path).member(recipe.name) for recipe in self.recipes]

    def go_on(self, beat: Beat = lambda share: None) -> None:
        """Do all jobs that are left, one after another, as a worker would."""
        statuses = {member.name: member.status for member in self.members()}
        for job in plan_jobs(self.stages, statuses, team_grow.execution(1), self.places):
            job.do(self.told.append, beat, lambda: None)


@pytest.fixture
def grown(tmp_path: Path, cache: Path) -> Grown:
    return Grown(tmp_path / "zoo", cache)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Grown:
    """The same, undisturbed."""
    found = Grown(tmp_path_factory.mktemp("whole") / "zoo", cache)
    found.go_on()
    return found


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let so many images of members fit into memory."""
    real = passes.forward

    def limit(most: int) -> None:
        def small(params: dict[str, torch.Tensor], images: torch.Tensor, *rest: Any) -> torch.Tensor:
            if len(params["cls_token"]) * images.shape[1] > most:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return real(params, images, *rest)

        monkeypatch.setattr(passes, "forward", small)
        monkeypatch.setattr(evaluate, "forward", small)

    return limit


def test_smaller_micro_batches_are_told_and_recorded(grown: Grown, whole: Grown, room: Callable[[int], None]) -> None:
    room(40)
    grown.go_on()
    notes = [event.text for event in grown.told if isinstance(event, Note) and "memory" in event.text]
    assert notes[0].endswith("tokens at once did not fit into memory; going on with micro-batches of 160 tokens.")
    for ours, theirs in zip(grown.members(), whole.members(), strict=True):
        assert ours.status == "finished"
        assert all(0 < line["micro"] <= 40 * TOKENS for line in ours.curve() if line["epoch"])
        assert all("micro" not in line for line in theirs.curve())
        assert ours.curve()[-1]["test_loss"] == pytest.approx(theirs.curve()[-1]["test_loss"], rel=1e-2)


def test_not_enough_memory_is_one_sentence_and_nothing_is_lost(
    grown: Grown, whole: Grown, room: Callable[[int], None]
) -> None:
    real = passes.forward
    room(0)
    with pytest.raises(NotEnoughMemory) as found:
        grown.go_on()
    parameters = sum(tensor.size for tensor in whole.members()[0].checkpoint().tensors().values())
    text = str(found.value)
    assert text.startswith(f"There is not enough memory to train a member of {parameters:,} parameters, from cl_vit8x1")
    assert f"weights, moments and gradients take {parameters * 16 / 1e9:.3g} GB" in text
    assert "What was committed stays" in text
    passes.forward = evaluate.forward = real
    grown.go_on()
    assert hashes(grown.zoo.path) == hashes(whole.zoo.path)


def test_the_numbers(whole: Grown) -> None:
    adamw, sgd = (next(r for r in whole.stages[1] if r.hyperparameters.optimizer == o) for o in ("adamw", "sgd"))
    p = sum(tensor.size for tensor in whole.members()[1].checkpoint().tensors().values())
    bf16 = team_grow.execution(1).model_copy(update={"precision": "bf16"})
    assert shortage.needed([adamw] * 3, team_grow.execution(1)) == 3 * p * 4 * 4  # weights, gradient, two moments
    assert shortage.needed([sgd], team_grow.execution(1)) == p * 4 * 3
    assert shortage.needed([sgd, adamw], bf16) == 2 * p * (4 * 4 + 2 * 2)
    text = shortage.sentence([adamw] * 2, bf16, 2_000_000_000, 4_000_000_000)
    assert "2 of 4 GB were free (cpu)" in text and "train 2 members of" in text and "smaller --stack" in text


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_how_much_memory_there_is() -> None:
    free, total = shortage.memory("cpu")
    assert 0 < free <= total == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_other_errors_stay_what_they_are(whole: Grown) -> None:
    for error in (RuntimeError("shapes differ"), KeyError("x")):
        with pytest.raises(type(error)), shortage.explained(whole.recipes, team_grow.execution(1)):
            raise error


@pytest.mark.parametrize(
    ("after", "code"), [(5, errno.EDQUOT), *((after, errno.ENOSPC) for after in (0, 1, 2, 5, 8, 13, 21, 34, 55))]
)
def test_a_full_disk_ends_the_job_with_a_sentence(
    after: int, code: int, grown: Grown, whole: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from some call of fsync on, wherever that is."""
    real, calls = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(VitzooError) as found:
        grown.go_on()
    monkeypatch.setattr(os, "fsync", real)
    assert str(grown.zoo.path) in str(found.value)
    assert f"could not be written: {os.strerror(code)}" in str(found.value)
    assert "make sure that there is space" in str(found.value)
    assert only(grown.zoo.path, ".tmp") == [] and not list(grown.zoo.path.rglob("*.staging"))
    told = sum(isinstance(event, EpochDone) for event in grown.told)
    grown.told.clear()
    grown.go_on()
    assert hashes(grown.zoo.path) == hashes(whole.zoo.path)
    assert sum(isinstance(event, EpochDone) for event in grown.told) + told <= 3 + 2 * 11 + 2  # at most one told twice


def test_a_full_disk_ends_the_training_at_the_next_step(grown: Grown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only when the epoch is over, which on a large model is an hour later."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def beat(share: float) -> None:
        seen.append(share)
        time.sleep(0.05)

    seen: list[float] = []
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VitzooError, match="No space left"):
        grown.go_on(beat)
    assert len([share for share in seen if share < 1]) < 4  # of the four steps of the first epoch

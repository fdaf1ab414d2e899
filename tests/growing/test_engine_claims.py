"""A worker that was given up but is not gone: its successor has the job, and nothing of the old one is stored."""

from collections.abc import Callable
from pathlib import Path

import pytest
from little_grow import hashes

from vitzoo.blueprint import expand, load
from vitzoo.growing import grow as growing
from vitzoo.growing.engines.claims import Claim, Claims, Superseded
from vitzoo.growing.engines.contract import Tell
from vitzoo.growing.events import EpochDone, Event
from vitzoo.growing.execution import Execution
from vitzoo.growing.jobs import GrowPopulation, Places
from vitzoo.zoo import Zoo

CPU = Execution(device="cpu", precision="float32", stack=2, tokens=8192)


@pytest.fixture
def job(tmp_path: Path, blueprint: Path, cache: Path) -> GrowPopulation:
    """The first population of the little blueprint, in a zoo that has its members."""
    wanted = load(blueprint)
    stages, places = expand(wanted), Places(tmp_path / "zoo", Path("data"), cache)
    recipes = [recipe for stage in stages for recipe in stage]
    zoo = Zoo.create(
        places.zoo, name="little", licence="CC0-1.0", blueprint=wanted.to_yaml(), execution=CPU.model_dump()
    )
    growing._add_members(zoo, recipes)
    jobs = growing.plan_jobs(stages, growing._statuses(zoo, recipes), CPU, places)
    return next(job for job in jobs if isinstance(job, GrowPopulation))


def at_epoch(number: int, act: Callable[[], object]) -> Tell:
    def tell(event: Event) -> None:
        if isinstance(event, EpochDone) and event.epoch == number:
            act()

    return tell


def members_of(job: GrowPopulation, grown: Path) -> dict[str, str]:
    names = {recipe.name for recipe in job.recipes}
    return {path: digest for path, digest in hashes(grown).items() if path.split("/")[-3] in names}


def go_on(job: GrowPopulation, claim: Claim, tell: Tell = lambda event: None) -> None:
    job.do(tell, lambda share: None, claim.guard)


def test_the_old_worker_stores_nothing_more_and_the_new_one_goes_on(job: GrowPopulation, grown: Path) -> None:
    claims = Claims(job.places.zoo)
    old, successors = claims.give(job.id), []
    with pytest.raises(Superseded):
        go_on(job, old, at_epoch(0, lambda: successors.append(claims.give(job.id))))
    assert {path.split("/")[-2] for path in hashes(job.places.zoo)} == {"checkpoint_000000"}
    with pytest.raises(Superseded):
        go_on(job, old)  # nor when it begins again from the state that is there
    go_on(job, successors[0])
    assert hashes(job.places.zoo) == members_of(job, grown)


def test_both_at_once_leave_what_one_alone_would(job: GrowPopulation, grown: Path) -> None:
    """The successor runs to the end while the old one is held up after an epoch, then the old one wakes up."""
    claims = Claims(job.places.zoo)
    old = claims.give(job.id)
    with pytest.raises(Superseded):
        go_on(job, old, at_epoch(1, lambda: go_on(job, claims.give(job.id))))
    assert hashes(job.places.zoo) == members_of(job, grown)


def test_a_grower_that_begins_voids_the_claims_of_those_before(tmp_path: Path) -> None:
    before = Claims(tmp_path).give("job")
    Claims(tmp_path).clear()
    assert not before.holds()
    with pytest.raises(Superseded):
        before.guard()


def test_a_claim_is_void_where_the_zoo_is_not_to_be_seen(tmp_path: Path) -> None:
    assert not Claim(tmp_path / "elsewhere" / "job.claim").holds()

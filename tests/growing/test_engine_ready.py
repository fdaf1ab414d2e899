"""Which job is next and who is given up: the graph and the clock, without workers."""

import random
from pathlib import Path

import networkx
import pytest
from engine_jobs import Act, needing

from vitzoo.growing.engines.contract import Begun, Requeued
from vitzoo.growing.engines.ready import Ready
from vitzoo.growing.engines.watch import Patience, Watch
from vitzoo.growing.events import EpochDone, Note, Stepped

NOWHERE = Path()


def graph(seed: int) -> list[Act]:
    """A random graph whose jobs are listed in random order."""
    rng = random.Random(seed)
    ids = [f"job{i}" for i in range(40)]
    jobs = [Act(ids[i], NOWHERE, needs=frozenset(rng.sample(ids[:i], min(i, rng.randrange(4))))) for i in range(40)]
    return rng.sample(jobs, 40)


@pytest.mark.parametrize("seed", range(5))
def test_all_jobs_come_in_an_order_that_networkx_accepts(seed: int) -> None:
    jobs = graph(seed)
    ready, order = Ready(jobs), []
    while (job := ready.take()) is not None:
        order.append(job.id)
        ready.done(job.id)
    edges = networkx.DiGraph([(need, job.id) for job in jobs for need in job.needs])
    assert sorted(order) == sorted(job.id for job in jobs) and len(ready) == 0
    assert all(order.index(a) < order.index(b) for a, b in edges.edges)


@pytest.mark.parametrize("seed", range(5))
def test_a_failure_drops_its_descendants_and_no_others(seed: int) -> None:
    jobs = graph(seed)
    edges = networkx.DiGraph([(need, job.id) for job in jobs for need in job.needs])
    failed = next(job.id for job in jobs if job.id in edges and edges.out_degree(job.id) > 1)
    ready, order = Ready(jobs), []
    while (job := ready.take()) is not None:
        order.append(job.id)
        (ready.failed if job.id == failed else ready.done)(job.id)
    assert len(ready) == 0
    assert {job.id for job in jobs} - set(order) == networkx.descendants(edges, failed)


def test_the_first_listed_is_first_also_when_it_is_put_back() -> None:
    ready = Ready([Act(name, NOWHERE) for name in "cab"])
    taken = [ready.take(), ready.take()]
    ready.put_back("c")
    assert [job.id for job in (*taken, ready.take(), ready.take()) if job] == ["c", "a", "c", "b"]
    assert ready.take() is None and len(ready) == 3


def test_impossible_needs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"need \['z'\], which are not among the jobs"):
        Ready([Act("a", NOWHERE, needs=needing("z"))])
    with pytest.raises(ValueError, match="need each other in a circle"):
        Ready([Act("a", NOWHERE, needs=needing("b")), Act("b", NOWHERE, needs=needing("a"))])


def test_silence_counts_from_the_beginning_and_from_every_step() -> None:
    watch = Watch(Patience(seconds=10))
    watch.hear(Stepped("a", 0.0), 0)  # late news of an earlier attempt
    assert watch.silent(100) == []
    watch.hear(Begun("a"), 100)
    assert (watch.silent(110), watch.silent(111)) == ([], ["a"])
    watch.hear(Stepped("a", 0.5), 109)
    watch.hear(Note("of nobody"), 109)
    assert (watch.silent(119), watch.silent(120)) == ([], ["a"])
    watch.hear(Requeued("a"), 120)
    assert watch.silent(1000) == []


def test_attempts_are_counted_between_epochs_gained() -> None:
    watch = Watch(Patience(retries=2))
    assert [watch.may_retry("a"), watch.may_retry("a")] == [True, True]
    watch.hear(EpochDone("a", 1, {}), 0)
    assert [watch.may_retry("a"), watch.may_retry("a")] == [True, True]
    watch.hear(EpochDone("a", 1, {}), 0)  # committed again after a resume: nothing gained
    assert not watch.may_retry("a")
    assert watch.may_retry("b")

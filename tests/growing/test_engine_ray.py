"""The Ray engine, by the laws of all engines and by its own, on a real cluster of two nodes."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_jobs import Act, outcome, pids
from engine_laws import *  # noqa: F403  (the tests)
from engine_laws import Make
from ray_cluster import NODE, as_zoo, cluster

from vitzoo.errors import InputError
from vitzoo.growing.engines.ray.connect import connect
from vitzoo.growing.engines.ray.engine import RayEngine, RayOptions
from vitzoo.growing.engines.ray.nodes import Need, Sight, check
from vitzoo.growing.engines.watch import Patience
from vitzoo.growing.execution import Execution, choose

CPU = Execution(device="cpu", precision="float32", tokens=8192)


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Any]:
    import ray

    with cluster() as started:
        connect(started.address)
        yield started
        ray.shutdown()


@pytest.fixture
def make(two_nodes: Any, tmp_path: Path) -> Make:
    from vitzoo.growing.engines.ray.crew import RayCrew

    return lambda size: RayCrew(as_zoo(tmp_path), CPU, Need(1, 0), size)


def test_of_jobs_given_together_only_the_one_to_blame_loses_attempts(make: Make, tmp_path: Path) -> None:
    jobs = [Act(f"quick{i:03}", tmp_path) for i in range(100)]
    jobs[70] = Act("doomed", tmp_path, "die")
    result = outcome(jobs, make(1), Patience(retries=0))
    assert set(result.failures) == {"doomed"} and len(result.done) == 99
    assert re.search(r"was lost with its process .* with \d+ short jobs\. Others do them one by one\.", result.notes())
    assert len(list(tmp_path.glob("doomed.began.*"))) == 2


def test_workers_share_a_gpu(two_nodes: Any, tmp_path: Path) -> None:
    """Ray only counts GPUs, so a node can claim one: two workers of half a GPU run there, none on the other nodes."""
    from vitzoo.growing.engines.ray.crew import RayCrew

    node = two_nodes.add_node(**NODE | {"num_gpus": 1})
    try:
        crew = RayCrew(as_zoo(tmp_path), CPU, Need(0.25, 0.5), 8)
        assert crew.size == 2
        jobs = [Act(f"job{i}", tmp_path, "meet") for i in range(2)]  # each waits until the other has begun
        assert sorted(outcome(jobs, crew).done) == ["job0", "job1"]
        assert len(pids(tmp_path)) == 2
    finally:
        two_nodes.remove_node(node)


def test_no_machine_with_what_a_job_takes(two_nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = RayEngine(None, RayOptions(cpus=64))
    monkeypatch.setattr(engine, "_connected", True)
    with pytest.raises(InputError, match=r"No machine of the Ray cluster .* has the 64 CPU that a job takes\."):
        engine.crew(tmp_path, CPU, 1, None)
    with pytest.raises(InputError, match="has the 64 CPU and 1 GPU that a job takes"):
        engine.there("cuda", choose, "cuda", None, None)


def test_what_the_hardware_cannot_is_said_as_it_was_there(two_nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = RayEngine(None, RayOptions())
    monkeypatch.setattr(engine, "_connected", True)
    assert engine.there("cpu", choose, "cpu", "float32", 3).stack == 3
    with pytest.raises(InputError, match="--precision 'fp8'"):
        engine.there("cpu", choose, "cpu", "fp8", None)


HERE = Sight("10.0.0.1", "ab", True, {"vitzoo": "1", "torch": "2"})


@pytest.mark.parametrize(
    ("there", "text"),
    [
        ({"digest": None}, r"The Ray node 10\.0\.0\.2 sees no zoo at /z\. The zoo's directory must be"),
        ({"digest": "cd"}, r"The Ray node 10\.0\.0\.2 sees another zoo, or a copy, at /z\."),
        ({"same": False}, r"The Ray node 10\.0\.0\.2 sees another zoo, or a copy, at /z\."),
        ({"versions": {"vitzoo": "1", "torch": "3"}}, r"10\.0\.0\.2 has torch 3, and here it is 2; that would change"),
        ({"lack": "No compiler."}, r"10\.0\.0\.2 cannot go on with this zoo: No compiler\."),
    ],
)
def test_a_node_that_cannot_work_on_the_zoo_is_named(there: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        check(replace(HERE, node="10.0.0.2", **there), HERE, Path("/z"))


def test_nodes_that_are_well_may_work() -> None:
    check(replace(HERE, node="10.0.0.2"), HERE, Path("/z"))


def test_a_zoo_that_the_nodes_do_not_see(two_nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is a zoo to this process alone: its working directory."""
    from vitzoo.growing.engines.ray.crew import RayCrew

    monkeypatch.chdir(as_zoo(tmp_path))
    crew = RayCrew(Path("/proc/self/cwd"), CPU, Need(1, 0), 2)
    with pytest.raises(InputError, match=r"The Ray node .* sees no zoo at /proc/self/cwd\."):
        outcome([Act("job", tmp_path)], crew)
    assert not list(tmp_path.glob("job.*"))

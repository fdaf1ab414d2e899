"""The Ray engine, by the laws of all engines and by its own, on a real cluster of two nodes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_laws import *  # noqa: F403  (the tests)
from engine_laws import Make
from ray_cluster import as_zoo, cluster

from vitzoo.growing.engines.ray.connect import connect
from vitzoo.growing.engines.ray.nodes import Need
from vitzoo.growing.execution import Execution

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

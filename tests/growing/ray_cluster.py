"""A Ray cluster of two nodes on this machine, a core each, for tests."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


@contextmanager
def cluster() -> Iterator[Any]:
    """Start a head and another node; ``.address`` is where to connect, ``.add_node`` and ``.remove_node`` change it."""
    path = os.environ.get("PYTHONPATH")
    here = str(Path(__file__).parent)  # nodes import what tests send them
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": os.pathsep.join([here, path] if path else [here])}
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args=NODE, shutdown_at_exit=True)
    started.add_node(**NODE)
    try:
        yield started
    finally:
        started.shutdown()
        os.environ.pop("PYTHONPATH")
        os.environ |= {"PYTHONPATH": path} if path else {}


def as_zoo(folder: Path) -> Path:
    """Make a folder that engines take for a zoo."""
    (folder / "zoo.json").write_text(json.dumps({"name": folder.name}))
    return folder


def workers() -> list[int]:
    """Process ids of our workers on all nodes of this machine."""
    found = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if is_worker(path)]
    return sorted(found)


def is_worker(command_line: Path) -> bool:
    try:
        return command_line.read_bytes().startswith(b"ray::Worker")
    except OSError:
        return False

"""`vitzoo grow --engine ray` on a real cluster of two nodes: the same zoo as on one machine, whatever is lost."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from little_grow import FIXED, Growing, alive, hashes, only, vitzoo, wait_until
from ray_cluster import NODE, cluster, workers

from vitzoo.cli.main import main


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Any]:
    with cluster() as started:
        yield started


def check_complete(zoo: Path, grown: Path) -> None:
    assert hashes(zoo) == hashes(grown)
    assert only(zoo, ".") == []
    assert main(["verify", str(zoo), "--deep"]) == 0


def growing(two_nodes: Any, cache: Path, blueprint: Path, zoo: Path, *more: str) -> Growing:
    return Growing(cache, blueprint, "--zoo", zoo, *FIXED, "--engine", "ray", "--address", two_nodes.address, *more)


def refuse(server: socket.socket) -> None:
    """Answer one connection as a web server does that does not understand."""
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(1000)


def finish(process: Growing) -> str:
    out, errors = process.process.communicate(timeout=120)
    assert (process.process.returncode, errors) == (0, ""), out + errors
    return out


@pytest.mark.ray
def test_two_nodes_grow_the_same_zoo(two_nodes: Any, tmp_path: Path, blueprint: Path, cache: Path, grown: Path) -> None:
    out = finish(growing(two_nodes, cache, blueprint, tmp_path / "zoo"))
    assert "2 workers, cpu, float32, " in out
    check_complete(tmp_path / "zoo", grown)


@pytest.mark.ray
def test_a_node_that_dies_costs_at_most_its_unfinished_epochs(
    two_nodes: Any, tmp_path: Path, blueprint: Path, cache: Path, grown: Path
) -> None:
    """The node is killed with its worker while both train; the head goes on alone."""
    zoo = tmp_path / "zoo"
    process = growing(two_nodes, cache, blueprint, zoo)
    process.wait_for_epochs(1)
    (node,) = two_nodes.worker_nodes
    two_nodes.remove_node(node, allow_graceful=False)
    try:
        assert "was lost with its process or its node" in finish(process)
    finally:
        two_nodes.add_node(**NODE)
    check_complete(zoo, grown)


@pytest.mark.ray
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_is_replaced(
    number: signal.Signals, two_nodes: Any, tmp_path: Path, blueprint: Path, cache: Path, grown: Path
) -> None:
    zoo = tmp_path / "zoo"
    process = growing(two_nodes, cache, blueprint, zoo, "--workers", "1", "--patience", "4")
    process.wait_for_epochs(1)
    (worker,) = workers()
    os.kill(worker, number)
    why = "was lost with its process" if number == signal.SIGKILL else "sent nothing for 4 seconds and was ended"
    assert why in finish(process)
    wait_until(lambda: not alive(worker), 20)
    check_complete(zoo, grown)


@pytest.mark.ray
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_grower_that_is_stopped_leaves_no_worker_and_is_resumed(
    number: signal.Signals, two_nodes: Any, tmp_path: Path, blueprint: Path, cache: Path, grown: Path
) -> None:
    zoo = tmp_path / "zoo"
    process = growing(two_nodes, cache, blueprint, zoo)
    process.wait_for_epochs(2)
    process.process.send_signal(number)
    _, errors = process.process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert process.process.returncode == -number
    else:
        assert process.process.returncode == 128 + number
        assert errors.startswith(f"error: Stopped by {number.name}. ") and errors.count("\n") == 1
        assert only(zoo, "lock") == [] and list(zoo.rglob("*.claim*")) == []
    assert len(hashes(zoo)) < len(hashes(grown))
    finish(growing(two_nodes, cache, blueprint, zoo))  # at once: the old workers may not be gone yet
    check_complete(zoo, grown)
    wait_until(lambda: not workers(), 20)


@pytest.mark.ray
def test_a_ray_of_our_own(tmp_path: Path, blueprint: Path, cache: Path, grown: Path) -> None:
    done = vitzoo(cache, "grow", blueprint, "--zoo", tmp_path / "zoo", *FIXED, "--engine", "ray", "--workers", "1")
    assert done.stderr == ""
    check_complete(tmp_path / "zoo", grown)


def test_where_there_is_no_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(address: str) -> str:
        assert main(["grow", "nano", "--zoo", str(tmp_path / "zoo"), "--engine", "ray", "--address", address]) == 3
        return capsys.readouterr().err

    assert error("ray://10.0.0.1").startswith("error: --address 'ray://10.0.0.1' is not HOST:PORT")
    assert "No Ray cluster answers at no-such-host.invalid:6379: " in error("no-such-host.invalid:6379")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=refuse, args=(server,))
        thread.start()
        assert f"What answers at 127.0.0.1:{port} is no Ray cluster." in error(f"127.0.0.1:{port}")
        thread.join()
    assert f"No Ray cluster answers at 127.0.0.1:{port}: Connection refused." in error(f"127.0.0.1:{port}")
    assert not (tmp_path / "zoo").exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--engine", "raj"), "--engine 'raj' is not known; use local, ray or slurm. Did you mean 'ray'?"),
        (("--address", "a:1"), "--address is the address of a Ray cluster; --engine local has none."),
        (("--engine-option", "gpus=1"), "--engine local has no options, and 'gpus=1' was given."),
        (
            ("--engine", "ray", "--engine-option", "gpu=1"),
            "--engine-option 'gpu=1': --engine ray has the options cpus, gpus. Did you mean 'gpus'?",
        ),
        (("--engine", "ray", "--engine-option", "gpus=0"), "--engine-option gpus=0: Input should be greater than 0."),
    ],
)
def test_what_is_no_engine_or_no_option_of_it(
    options: tuple[str, ...], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grow", "nano", "--zoo", str(tmp_path / "zoo"), *options]) == 3
    assert capsys.readouterr().err == f"error: {text}\n"
    assert not (tmp_path / "zoo").exists()

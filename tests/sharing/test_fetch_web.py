"""``vitzoo fetch`` from a real nginx: what is chosen, what goes over the wire, and what a cut leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import fetch_tree
import pytest
from fetch_tree import FIRST, FT, PT, SECOND, THIRD, Tree, child
from nginx import Nginx, needs_nginx, serving

from vitzoo.cli.main import main
from vitzoo.errors import BusyError, InputError, VitzooError
from vitzoo.sharing.fetching import ledger as ledgers
from vitzoo.sharing.fetching.patience import Patience
from vitzoo.sharing.fetching.planning import Query
from vitzoo.sharing.fetching.run import Outcome, fetch

pytestmark = needs_nginx
HURRY = Patience(tries=2, pause=0.01, connect=2, silence=2)
ADAMW = "stage = 'finetuning' AND optimizer = 'adamw'"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return fetch_tree.write(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def shared(tree: Tree, tmp_path_factory: pytest.TempPathFactory):
    with serving(tree.root, tmp_path_factory.mktemp("nginx") / "home") as server:
        yield server


@pytest.fixture
def server(shared: Nginx) -> Nginx:
    shared.forget()
    return shared


def got(directory: Path) -> dict[str, bytes]:
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name != ledgers.NAME}


def wanted(tree: Tree, members: list[str], numbers: list[int], optimizer: bool = False) -> dict[str, bytes]:
    """The files of members at these numbers, whatever their padding."""
    found = {"README.md": tree.files["README.md"]}
    for path, data in tree.files.items():
        member, _, rest = path.partition("/checkpoint_") if "/checkpoint_" in path else path.rpartition("/")
        if member not in members:
            continue
        number, _, name = rest.partition("/")
        kept = ("checkpoints", "optimizer") if optimizer else ("checkpoints",)
        if "/checkpoint_" not in path or (int(number) in numbers and name in kept):
            found[path] = data
    return found


def test_the_last_checkpoints_come_with_the_tree_as_it_is(server: Nginx, tree: Tree, tmp_path: Path):
    outcome = fetch(tmp_path / "to", source=server.address)
    members = [f"{PT}/{name}" for name in (FIRST, SECOND)]
    members += [
        child(p, o, lr, m) for p, m in ((FIRST, False), (SECOND, True)) for o in ("adamw", "sgd") for lr in (1e-3, 1e-4)
    ]
    expected = wanted(tree, [*members, f"{PT}/{THIRD}"], [12]) | wanted(tree, [f"{PT}/{FIRST}"], [10, 12])
    assert got(tmp_path / "to") == expected
    assert outcome.problems == [] and outcome.fetched == len(expected)
    assert outcome.received == sum(map(len, expected.values()))


def test_a_condition_and_numbers_choose_and_parents_come_along(server: Nginx, tree: Tree, tmp_path: Path):
    chosen = [child(p, "adamw", lr, m) for p, m in ((FIRST, False), (SECOND, True)) for lr in (1e-3, 1e-4)]
    fetch(tmp_path / "to", Query(ADAMW, "last:2"), server.address)
    expected = wanted(tree, chosen, [11, 12])
    expected |= wanted(tree, [f"{PT}/{FIRST}"], [10])  # what the configs name
    expected |= wanted(tree, [f"{PT}/{SECOND}"], [12])  # they name none: the last
    assert got(tmp_path / "to") == expected


def test_conditions_know_parents_and_heads(server: Nginx, tree: Tree, tmp_path: Path):
    query = Query("parent_batch_size = 512 AND head = 'mlp' AND lr < 0.0005", "9-10,12", with_parents=False)
    fetch(tmp_path / "to", query, server.address)
    chosen = [child(SECOND, optimizer, 1e-4, True) for optimizer in ("adamw", "sgd")]
    assert got(tmp_path / "to") == wanted(tree, chosen, [9, 10, 12])


def test_states_of_optimizers_come_only_if_asked_for(server: Nginx, tree: Tree, tmp_path: Path):
    query = Query(f"member = '{FIRST}'", "8", optimizer_state=True)
    fetch(tmp_path / "to", query, server.address)
    assert got(tmp_path / "to") == wanted(tree, [f"{PT}/{FIRST}"], [8], optimizer=True)


def test_a_second_fetch_transfers_nothing_and_more_epochs_only_those(server: Nginx, tree: Tree, tmp_path: Path):
    fetch(tmp_path / "to", Query(ADAMW), server.address)
    server.forget()
    again = fetch(tmp_path / "to", Query(ADAMW), server.address)
    configs = {f"/{path}" for path in tree.files if path.endswith(("config.json", "params.json"))}
    assert {one.path for one in server.requests() if not one.is_index} <= configs  # which the query needs
    assert (again.fetched, again.received, again.damaged) == (0, 0, 0)
    more = fetch(tmp_path / "to", Query(ADAMW, "last:2"), server.address)
    assert (more.fetched, more.present) == (4, again.present)


def test_what_changed_on_disk_is_found_by_its_hash(server: Nginx, tree: Tree, tmp_path: Path):
    fetch(tmp_path / "to", Query(ADAMW), server.address)
    path = f"{PT}/{FIRST}/checkpoint_000010/checkpoints"
    file = tmp_path / "to" / path
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    assert fetch(tmp_path / "to", Query(ADAMW), server.address, deep=False).fetched == 0
    outcome = fetch(tmp_path / "to", Query(ADAMW), server.address)
    assert (outcome.fetched, outcome.damaged) == (1, 1)
    assert file.read_bytes() == tree.files[path]


def test_a_file_that_was_not_fetched_is_left_alone(server: Nginx, tmp_path: Path):
    mine = tmp_path / "to" / "README.md"
    mine.parent.mkdir()
    mine.write_text("my notes")
    outcome = fetch(tmp_path / "to", Query(f"member = '{FIRST}'"), server.address)
    assert [problem.path for problem in outcome.problems] == ["README.md"]
    assert mine.read_text() == "my notes"


def big(root: Path, size: int = 3_000_000) -> tuple[str, bytes]:
    """A zoo of one checkpoint."""
    tree = Tree(root)
    tree.member("pretraining/one", fetch_tree.pretraining(1, 8), range(0))
    path = "pretraining/one/checkpoint_000003/checkpoints"
    tree.put(path, tree.noise(size))
    return path, tree.files[path]


def until(condition, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_a_server_that_dies_in_mid_transfer_leaves_a_part_that_is_continued(tmp_path: Path):
    path, data = big(tmp_path / "source")
    part = tmp_path / "to" / f"{path}.part"
    with serving(tmp_path / "source", tmp_path / "home", rate="1m") as server:
        found: list[Outcome] = []
        one = Patience(tries=1, silence=5)
        thread = threading.Thread(
            target=lambda: found.append(fetch(tmp_path / "to", source=server.address, parallel=1, patience=one))
        )
        thread.start()
        until(lambda: size_of(part) > 700_000)
        server.kill()
        thread.join(10)
        arrived = size_of(part)
        assert 700_000 < arrived < len(data)
        assert part.read_bytes() == data[:arrived] and not part.with_suffix("").exists()
        assert [problem.path for problem in found[0].problems] == [path]

        server.forget()
        server.start()
        outcome = fetch(tmp_path / "to", source=server.address)
        server.stop()
        (request,) = [one for one in server.requests() if one.path == f"/{path}"]
    assert (request.status, request.range, request.sent) == (206, f"bytes={arrived}-", len(data) - arrived)
    assert (tmp_path / "to" / path).read_bytes() == data
    assert (outcome.fetched, outcome.received, outcome.problems) == (1, len(data) - arrived, [])
    assert not list((tmp_path / "to").rglob("*.part*"))


def test_a_connection_that_breaks_is_continued_within_one_fetch(tmp_path: Path):
    path, data = big(tmp_path / "source")
    part = tmp_path / "to" / f"{path}.part"
    with serving(tmp_path / "source", tmp_path / "home", rate="1m") as server:
        found: list[Outcome] = []
        patient = Patience(tries=8, pause=0.05)
        thread = threading.Thread(
            target=lambda: found.append(fetch(tmp_path / "to", source=server.address, parallel=2, patience=patient))
        )
        thread.start()
        until(lambda: size_of(part) > 500_000)
        server.kill()
        server.start()
        thread.join(20)
    assert found[0].problems == [] and (tmp_path / "to" / path).read_bytes() == data
    assert found[0].received == sum(map(len, got(tmp_path / "to").values()))  # each byte once


def test_a_fetch_that_is_killed_is_continued(tmp_path: Path):
    path, data = big(tmp_path / "source")
    part = tmp_path / "to" / f"{path}.part"
    with serving(tmp_path / "source", tmp_path / "home", rate="1m") as server:
        command = [sys.executable, "-m", "vitzoo", "fetch", server.address, "--to", str(tmp_path / "to")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(lambda: size_of(part) > 500_000, 30)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        arrived = size_of(part)
        server.stop()
        server.forget()
        server.start()
        outcome = fetch(tmp_path / "to", source=server.address)
        server.stop()
        (request,) = [one for one in server.requests() if one.path == f"/{path}"]
    assert (request.range, request.sent) == (f"bytes={arrived}-", len(data) - arrived)
    assert outcome.problems == [] and (tmp_path / "to" / path).read_bytes() == data


def test_a_file_that_changed_meanwhile_begins_anew(tmp_path: Path):
    path, data = big(tmp_path / "source", 200_000)
    file, part = tmp_path / "source" / path, tmp_path / "to" / f"{path}.part"
    with serving(tmp_path / "source", tmp_path / "home") as server:
        assert fetch(tmp_path / "to", source=server.address).problems == []
        shutil.rmtree(tmp_path / "to")
        server.stop()
        server.start(rate="100k")
        thread = threading.Thread(
            target=lambda: fetch(tmp_path / "to", source=server.address, patience=Patience(tries=1))
        )
        thread.start()
        until(lambda: size_of(part) > 50_000)
        server.kill()
        thread.join(10)
        arrived = size_of(part)
        other = bytes(reversed(data))
        file.write_bytes(other)
        os.utime(file, (1_000_000_000, 1_000_000_000))
        server.forget()
        server.start()
        fetch(tmp_path / "to", source=server.address)
        assert (tmp_path / "to" / path).read_bytes() == other
        asked = [(one.status, one.range) for one in server.requests() if one.path == f"/{path}"]
        assert asked == [(200, None)] and arrived

        file.write_bytes(data)  # a newer version of what is there already
        os.utime(file, (1_100_000_000, 1_100_000_000))
        outcome = fetch(tmp_path / "to", source=server.address)
    assert (tmp_path / "to" / path).read_bytes() == data and outcome.fetched == 1


def test_if_range_guards_a_part_where_the_listing_cannot(tmp_path: Path):
    """The listing's time and size are the same, the ETag is not: the server sends all of it."""
    path, data = big(tmp_path / "source", 200_000)
    with serving(tmp_path / "source", tmp_path / "home") as server:
        part = tmp_path / "to" / f"{path}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"x" * 1000)
        stamp = (tmp_path / "source" / path).stat().st_mtime
        listed = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(stamp))
        note = {"size": len(data), "stamp": listed, "etag": '"another"', "modified": listed}
        part.with_name(part.name + ".json").write_text(json.dumps(note))
        fetch(tmp_path / "to", source=server.address)
        server.stop()
        (request,) = [one for one in server.requests() if one.path == f"/{path}"]
    assert (request.status, request.range) == (200, "bytes=1000-")
    assert (tmp_path / "to" / path).read_bytes() == data


def test_two_fetches_into_one_directory_do_not_mix(server: Nginx, tmp_path: Path):
    to = tmp_path / "to"
    fetch(to, Query(f"member = '{FIRST}'"), server.address)
    with ledgers.writing(to, server.address), pytest.raises(BusyError):
        fetch(to, Query(ADAMW), server.address)
    with pytest.raises(InputError, match="was fetched from"):
        fetch(to, source=f"{server.address}{PT}/")


def test_a_full_disk_is_noticed_before_anything_is_written(server: Nginx, tmp_path: Path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=64_000_000 + 1_000))
    with pytest.raises(VitzooError, match="Nothing was written"):
        fetch(tmp_path / "to", source=server.address)
    assert not (tmp_path / "to").exists()


def run(*arguments: str) -> int:
    return main(["fetch", *arguments])


def test_a_dry_run_says_how_much_and_writes_nothing(server: Nginx, tree: Tree, tmp_path: Path, capsys):
    assert run(server.address, "--dry-run", "--where", ADAMW, "--epochs", "last:2", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    chosen = [child(p, "adamw", lr, m) for p, m in ((FIRST, False), (SECOND, True)) for lr in (1e-3, 1e-4)]
    expected = (
        wanted(tree, chosen, [11, 12]) | wanted(tree, [f"{PT}/{FIRST}"], [10]) | wanted(tree, [f"{PT}/{SECOND}"], [12])
    )
    assert (said["files"], said["bytes"]) == (len(expected), sum(map(len, expected.values())))
    assert [(line["stage"], line["asked"], line["members"]) for line in said["stages"]] == [
        ("pretraining", False, 2),
        ("finetuning", True, 4),
    ]
    assert said["done"] is None and said["problems"] == []
    assert run(server.address, "--dry-run", "--to", str(tmp_path / "to")) == 0
    assert "Nothing is in" in capsys.readouterr().out and not (tmp_path / "to").exists()


def test_the_command_fetches_and_its_json_adds_up(server: Nginx, tmp_path: Path, capsys):
    to = str(tmp_path / "to")
    assert run(server.address, "--to", to, "--where", f"member = '{THIRD}'", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["files"], said["done"]["fetched"], said["done"]["checked"]) == (4, 4, {"size": 4})
    assert said["done"]["received"] == said["bytes"] == sum(map(len, got(tmp_path / "to").values()))
    assert run(server.address, "--to", to, "--where", f"member = '{THIRD}'", "--quick") == 0
    assert "4 files were there already." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--epochs", "0-9,x"], 3, "'x' names no epochs"),
        (["--where", "optimiser = 'adamw'"], 3, "Did you mean 'optimizer'?"),
        (["--where", "epoch = 3"], 3, "Did you mean 'epochs'?"),
        (["--where", "1; DROP TABLE catalogue"], 3, "cannot be used"),
        (["--where", "(SELECT count(*) FROM read_text('/etc/passwd')) > 0"], 3, "cannot be used"),
        (["--where", "lr > 10"], 3, "No checkpoint fits"),
        (["--epochs", "99"], 3, "No checkpoint fits"),
    ],
)
def test_a_bad_query_is_refused_before_anything_is_written(
    server: Nginx, tmp_path: Path, capsys, arguments: list[str], code: int, text: str
):
    assert run(server.address, "--to", str(tmp_path / "to"), *arguments) == code
    assert text in capsys.readouterr().err
    assert not (tmp_path / "to").exists()


def test_without_a_directory_it_is_a_usage_error(server: Nginx, capsys):
    assert run(server.address) == 2
    assert "--dry-run" in capsys.readouterr().err


def test_one_member_is_not_a_zoo_and_neither_is_an_empty_folder(server: Nginx, tmp_path: Path, capsys):
    assert run(f"{server.address}{PT}/{FIRST}", "--dry-run") == 3
    assert f"member = '{FIRST}'" in capsys.readouterr().err
    assert run(f"{server.address}nowhere/", "--dry-run") == 1
    assert "does not exist (status 404)" in capsys.readouterr().err


def test_a_listing_in_html_is_refused(tree: Tree, tmp_path: Path, capsys):
    with serving(tree.root, tmp_path / "home", index="html") as server:
        assert run(server.address, "--dry-run") == 3
    assert "autoindex_format json" in capsys.readouterr().err


def test_what_was_fetched_is_read_by_the_importer_as_the_source_is(tmp_path: Path):
    from official_tree import write

    from vitzoo.sharing.importing.layouts.official import survey

    tree = write(tmp_path / "source")
    (tree.root / PT / "link").unlink()  # nginx would serve what it leads to
    with serving(tree.root, tmp_path / "home") as server:
        outcome = fetch(tmp_path / "all", Query(epochs="all"), server.address)
        fetch(tmp_path / "some", Query("stage = 'finetuning'"), server.address)
    assert outcome.problems == []
    there, here = (
        {
            one.key: (one.stage, sorted(one.checkpoints), one.parent, one.rivals, one.recipe)
            for one in survey(root).members
        }
        for root in (tree.root, tmp_path / "all")
    )
    assert here == there and set(here) == set(tree.weights)
    some = {one.key: one for one in survey(tmp_path / "some").members}
    children = {key for key in there if key.startswith(FT)}
    needed = {parent for key in children for parent in (there[key][2], *there[key][3]) if parent}
    assert set(some) == children | needed and all(len(one.checkpoints) == 1 for one in some.values())


def test_a_folder_of_trials_without_roots_is_read_by_its_configs(server: Nginx, tmp_path: Path):
    outcome = fetch(tmp_path / "to", Query("stage = 'finetuning'"), f"{server.address}{FT}/{FIRST}")
    assert outcome.problems == [] and len(list((tmp_path / "to").glob("*/checkpoint_12/checkpoints"))) == 4

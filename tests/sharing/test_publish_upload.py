"""Uploads by the hub's own client to a hub on this machine: whole, cut off, repeated, refused.

The real hub was never asked, and Xet is off: the fake hub takes large files by LFS.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_hub import TOKEN, Hub, running
from publishable import DAY, OTHERS_WARNINGS, Run, contents, dry_run, point_to, runner, with_merged

import vitzoo
from vitzoo.compat import ensure_torchvision
from vitzoo.errors import InputError
from vitzoo.sharing.publishing import dataset, prepare, upload
from vitzoo.sharing.publishing.address import parse
from vitzoo.zoo import Zoo, verify

# Without Xet, the hub's client sends files in a way that its HTTP library wants to be rid of.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
FAST = pytest.mark.usefixtures("plain")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return with_merged(tmp_path_factory.mktemp("zoo") / "zoo")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running() as found:
        point_to(found, monkeypatch)
        yield found


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out, which take longer than the rest."""
    monkeypatch.setattr(dataset, "pictures", lambda *_: ())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


def objects(zoo: Zoo) -> set[str]:
    return {row["sha256"] for row in zoo.rows()}


def test_all_of_it_arrives(zoo: Zoo, hub: Hub, run: Run, tmp_path: Path) -> None:
    code, out, err = run(zoo.path, "--to", "me/little", "--models")
    assert (code, err) == (0, "")
    assert out.startswith(f"{hub.url}/datasets/me/little: 81 files, ")
    point = dry_run(zoo, tmp_path / "out", models=True)
    there = contents(tmp_path / "out" / "dataset")
    found = hub.dataset("me/little").files
    dated = {"README.md", "CITATION.cff", "croissant.json"}
    assert found.keys() == there.keys()
    assert {n: d for n, d in found.items() if n not in dated} == {n: d for n, d in there.items() if n not in dated}
    assert not hub.dataset("me/little").private
    for repository in point.repositories[1:]:
        sent = hub.model(repository.address.id).files
        local = contents(tmp_path / "out" / "models" / repository.address.name)
        assert {n: d for n, d in sent.items() if n != ".gitattributes"} == local
    assert set(hub.validated) == {"dataset", "model"}
    assert max(hub.puts.values()) == 1  # what two repositories have in common is sent once


@FAST
def test_what_arrived_is_a_zoo(zoo: Zoo, hub: Hub, run: Run, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    assert run(zoo.path, "--to", "me/little")[0] == 0
    place = tmp_path / "download"
    HfApi(endpoint=hub.url).snapshot_download("me/little", repo_type="dataset", local_dir=place)
    assert (place / ".cache").is_dir()  # the client leaves this, and verify knows
    assert verify(Zoo.open(place), deep=True).ok
    assert Zoo.open(place).rows() == zoo.rows()


@FAST
def test_vitzoo_opens_it_from_the_hub(
    zoo: Zoo, hub: Hub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path))
    assert run(zoo.path, "--to", "me/little")[0] == 0
    begun = len(hub.requests)
    opened = vitzoo.open("hf://datasets/me/little")
    assert opened.rows() == zoo.rows()
    stored = zoo.checkpoint("soup").tensors()
    found = opened.checkpoint("soup").tensors()
    assert all(np.array_equal(found[name], stored[name]) for name in stored)
    asked = [request.rpartition("/")[2] for request in hub.requests[begun:]]
    assert asked == ["little", "zoo.json", "catalogue.parquet", "manifest.json", "model.safetensors"]  # and no more
    with pytest.raises(InputError, match="cannot be published from here"):
        prepare(opened, parse("me/again"), day=DAY)


@pytest.mark.filterwarnings(*OTHERS_WARNINGS, "ignore:Use 'content=:DeprecationWarning")
@FAST
def test_croissant_reads_it_from_the_hub(
    zoo: Zoo, hub: Hub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlc = pytest.importorskip("mlcroissant")
    from etils import epath
    from mlcroissant._src.core import constants

    monkeypatch.setattr(constants, "DOWNLOAD_PATH", epath.Path(tmp_path))
    assert run(zoo.path, "--to", "me/little")[0] == 0
    dataset = mlc.Dataset(f"{hub.url}/datasets/me/little/resolve/main/croissant.json")
    members = [record["catalogue/member"].decode() for record in dataset.records("catalogue")]
    assert members == [row["member"] for row in zoo.rows()]


@FAST
def test_timm_opens_a_member_from_the_hub(zoo: Zoo, hub: Hub, run: Run, tmp_path: Path) -> None:
    ensure_torchvision()
    import timm

    where = ("--where", "member = 'ft-linear-supervised'")
    assert run(zoo.path, "--to", "me/little", "--models", *where)[0] == 0
    model = timm.create_model("hf-hub:me/little-ft-linear-supervised", pretrained=True, cache_dir=tmp_path).eval()
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(model(images), zoo.checkpoint("ft-linear-supervised").to_timm()(images))


@FAST
def test_again_sends_nothing(zoo: Zoo, hub: Hub, run: Run) -> None:
    assert run(zoo.path, "--to", "me/little")[0] == 0
    commits, puts = list(hub.dataset("me/little").commits), hub.puts.copy()
    assert run(zoo.path, "--to", "me/little")[0] == 0
    assert hub.dataset("me/little").commits == commits
    assert hub.puts == puts


@FAST
def test_a_failure_is_told_and_gone_on_from(zoo: Zoo, hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PART_FILES", 10)
    hub.fail_puts = 7
    code, out, err = run(zoo.path, "--to", "me/little")
    assert (code, out) == (1, "")
    assert "What was sent before stays on the hub; run the same command again to go on." in err
    there = hub.dataset("me/little")
    assert len(there.commits) >= 1
    assert "zoo.json" not in there.files  # it is no zoo yet
    assert len(hub.puts) == 7
    hub.fail_puts = None
    code, out, _ = run(zoo.path, "--to", "me/little")
    assert code == 0
    assert list(there.files)[-1] == "zoo.json"
    assert max(hub.puts.values()) == 1  # nothing twice
    assert objects(zoo) <= set(hub.puts)


def test_killed_in_mid_upload_it_goes_on(
    zoo: Zoo, hub: Hub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PART_FILES", 10)
    program = (
        "import sys\nfrom vitzoo.sharing.publishing import upload\nupload.PART_FILES = 10\n"
        "from vitzoo.cli.publish import publish\nimport typer\napp = typer.Typer()\napp.command()(publish)\napp()"
    )
    settings = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1", "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(zoo.path), "--to", "me/little"],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        end = time.monotonic() + 60
        while sum(hub.puts.values()) < 5 and time.monotonic() < end:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.stdout
        said = process.stdout.read()
    assert process.returncode == -signal.SIGKILL, said
    sent = set(hub.puts)
    assert 5 <= len(sent) < len(objects(zoo))
    assert "zoo.json" not in hub.dataset("me/little").files
    assert run(zoo.path, "--to", "me/little")[0] == 0
    found = hub.dataset("me/little").files
    assert {
        hashlib.sha256(data).hexdigest() for name, data in found.items() if name.endswith(".safetensors")
    } == objects(zoo)
    assert all(hub.puts[oid] == 1 for oid in sent)


@FAST
def test_the_token_is_told_to_the_hub_alone(
    zoo: Zoo, hub: Hub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    hub.fail_puts = 3
    texts = run(zoo.path, "--to", "me/little", "--json")[1:]
    hub.fail_puts, hub.forbidden = None, True
    texts += run(zoo.path, "--to", "me/other")[1:]
    hub.forbidden = False
    texts += run(zoo.path, "--to", "me/little", "--json")[1:]
    assert not any(TOKEN in text for text in texts)
    assert not any(TOKEN.encode() in data for repo in hub.repos.values() for data in repo.files.values())
    assert not any(TOKEN.encode() in data for data in contents(zoo.path).values())
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


@FAST
def test_without_a_token_nothing_is_begun(
    zoo: Zoo, hub: Hub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    code, _, err = run(zoo.path, "--to", "me/little")
    assert code == 3
    assert "Run `hf auth login`, or set HF_TOKEN" in err
    assert hub.requests == []


@FAST
def test_a_token_that_may_not_write(zoo: Zoo, hub: Hub, run: Run) -> None:
    hub.forbidden = True
    code, _, err = run(zoo.path, "--to", "you/little")
    assert code == 3
    assert "The hub does not let you make you/little: " in err
    assert hub.repos == {}


@FAST
def test_a_card_that_the_hub_refuses(zoo: Zoo, hub: Hub, run: Run, tmp_path: Path) -> None:
    import shutil

    own = Zoo.open(shutil.copytree(zoo.path, tmp_path / "zoo"))
    (own.path / "README.md").write_text("---\nlicense: my own words\n---\n# Mine\n")
    code, _, err = run(own.path, "--to", "me/little")
    assert code == 3
    assert "license is not known" in err
    assert hub.dataset("me/little").commits == []
    assert not hub.puts


@FAST
def test_a_hub_that_is_not_there(zoo: Zoo, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as gone:
        point_to(gone, monkeypatch)
    code, out, err = run(zoo.path, "--to", "me/little")
    assert (code, out) == (1, "")
    assert "could not make me/little" in err
    assert "run the same command again" in err


@FAST
def test_private_is_private(zoo: Zoo, hub: Hub, run: Run) -> None:
    where = ("--where", "member = 'ft-linear-supervised'")
    assert run(zoo.path, "--to", "me/little", "--private", "--models", *where)[0] == 0
    assert all(repo.private for repo in hub.repos.values())
    assert len(hub.repos) == 3


@FAST
def test_what_is_public_is_not_filled_with_what_should_be_private(zoo: Zoo, hub: Hub, run: Run) -> None:
    assert run(zoo.path, "--to", "me/little", "--where", "member = 'pre-supervised'")[0] == 0
    before = dict(hub.dataset("me/little").files)
    code, _, err = run(zoo.path, "--to", "me/little", "--private")
    assert code == 3
    assert "is there and public" in err
    assert hub.dataset("me/little").files == before


@FAST
def test_a_repository_of_something_else_is_left_alone(zoo: Zoo, hub: Hub, run: Run) -> None:
    assert run(zoo.path, "--to", "me/little", "--where", "member = 'pre-supervised'")[0] == 0
    hub.dataset("me/little").files["theirs.csv"] = b"1,2"
    commits = list(hub.dataset("me/little").commits)
    code, _, err = run(zoo.path, "--to", "me/little")
    assert code == 3
    assert "holds files that are no part of this, such as 'theirs.csv', 1 in all" in err
    assert hub.dataset("me/little").commits == commits


@FAST
def test_weights_that_cannot_be_linked_are_not_copied(
    zoo: Zoo, hub: Hub, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    code, out, _ = run(zoo.path, "--to", "me/little", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["uploaded"]
    assert found["places"] == [f"{hub.url}/datasets/me/little"]
    assert found["commits"] == 1
    assert objects(zoo) <= set(hub.puts)

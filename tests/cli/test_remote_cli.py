"""The commands that read a zoo, on an address: the same output as on the directory. Those that write refuse it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from little_grow import FIXED, TEXT, vitzoo
from nginx import Nginx, needs_nginx
from nginx import serving as nginx_serving
from ranged_server import Ranged, serving

from vitzoo.cli.main import main
from vitzoo.zoo import Zoo


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grown")
    (folder / "little.yaml").write_text(TEXT)
    vitzoo(folder / "cache", "grow", folder / "little.yaml", "--zoo", folder / "zoo", *FIXED, "--workers", "1")
    Zoo.open(folder / "zoo").catalogue()
    return folder / "zoo"


@pytest.fixture
def server(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ranged]:
    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path / "cache"))
    with serving(published) as running:
        yield running


@pytest.fixture
def both(server: Ranged, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Run a command on a copy of the directory and on the address, and compare what is printed."""
    local = shutil.copytree(published, tmp_path / "local")

    def run(*words: str, code: int = 0) -> str:
        printed = []
        for place in (str(local), server.url):
            assert main([place if word == "ZOO" else word for word in words]) == code
            out, err = capsys.readouterr()
            printed.append((out.replace(place, "ZOO"), err.replace(place, "ZOO")))
        assert printed[0] == printed[1]
        return printed[0][0]

    return run


@pytest.mark.parametrize(
    "words",
    [
        ("ls", "ZOO"),
        ("ls", "ZOO", "--json", "--where", "epoch = 2"),
        ("lineage", "show", "ZOO", "--all"),
        ("lineage", "show", "ZOO", "--json"),
        ("lineage", "recover", "ZOO", "--json"),
        ("measure", "ZOO", "--json", "--where", "head = 'mlp'"),
    ],
)
def test_what_is_printed_is_the_same(both, words: tuple[str, ...]) -> None:
    assert both(*words)


def test_members_are_shown_the_same(both, published: Path) -> None:
    for member in Zoo.open(published).members()[::4]:
        assert both("show", "ZOO", member.name)
        assert json.loads(both("show", "ZOO", member.name, "--json"))["path"].startswith("ZOO/")


def test_the_record_is_checked_against_weights_on_a_server(both) -> None:
    both("lineage", "check", "ZOO", "--json", code=0 if both("lineage", "check", "ZOO") else 4)


def test_a_report_is_written_of_a_zoo_on_a_server(server: Ranged, tmp_path: Path) -> None:
    assert main(["report", server.url, "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report/index.html").read_text()
    assert server.url not in page and str(tmp_path) not in page


def test_verifying_is_refused_with_what_to_do(server: Ranged, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", server.url]) == 3
    assert "cannot be verified from here. Copy it to a directory, and give that." in capsys.readouterr().err


def test_nothing_is_grown_or_saved_on_a_server(
    server: Ranged, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        ("grow", "nano", "--zoo", "s3://bucket/zoo"),
        ("merge", "models", server.url, "--method", "uniform", "--save"),
        ("merge", "across", server.url, "--name", "mine"),
    ):
        assert main([*words]) == 3
        error = capsys.readouterr().err
        assert "only to a directory" in error or "cannot be given a merged member from here" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]
    assert not [one for one in server.take() if one.path.endswith("model.safetensors")]


@needs_nginx
def test_nginx_sends_the_header_and_one_tensor(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own log says how many bytes went over the wire."""
    import vitzoo

    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path / "cache"))
    name = "blocks.0.mlp.fc1.weight"
    with nginx_serving(published, tmp_path / "nginx") as server:
        assert main(["ls", server.address, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["checkpoints"] == 30
        checkpoint = vitzoo.open(server.address).members("finetuning")[0].checkpoint()
        local = Zoo.open(published).checkpoint(checkpoint.member.name)
        server.forget()
        found = checkpoint.tensors([name])[name]
        assert (found == local.tensors([name])[name]).all()
        first, second = _sent(server, "model.safetensors")
        assert first == min(16384, local.file().stat().st_size) and second in (0, found.nbytes)
        server.forget()
        vitzoo.open(server.address).checkpoint(checkpoint.member.name).tensors([name])
        assert _sent(server, "model.safetensors") == [0, 0] and _sent(server, "manifest.json") == [0, 0]


def _sent(server: Nginx, name: str) -> list[int]:
    """Bytes of the first two answers with a file of this name, 0 where there was none."""
    return [*(one.sent for one in server.requests() if one.path.endswith(name)), 0, 0][:2]

"""Zoos to publish, the hub's client pointed to a fake hub, and the command line in this process."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from exportable import populate
from fake_hub import TOKEN, Hub

from vitzoo.cli.publish import publish as command
from vitzoo.sharing.publishing import Prepared, prepare, write
from vitzoo.sharing.publishing.address import parse
from vitzoo.zoo import Zoo, merge

DAY = date(2026, 3, 1)
#: What mlcroissant's libraries say of each other.
OTHERS_WARNINGS = ("ignore::DeprecationWarning:rdflib", "ignore:The inplace keyword:DeprecationWarning")
Run = Callable[..., tuple[int, str, str]]


def with_merged(path: Path) -> Zoo:
    """Two backbones, four fine-tuned members, and one merged of two of these."""
    zoo = populate(path)
    of = [zoo.checkpoint(f"ft-linear-{task}") for task in ("supervised", "contrastive")]
    recorded = merge.make("uniform", {}, [{"member": c.member.name, "epoch": c.epoch, "sha256": c.sha256} for c in of])
    one, two = (checkpoint.tensors() for checkpoint in of)
    mean = {name: (one[name] + two[name]) / 2 for name in one}
    zoo.add_merged(merge.make_config("soup", recorded, [c.member.config for c in of]), mean, {"test_acc": 0.3})
    return Zoo.open(path)


def dry_run(zoo: Zoo, out: Path, where: str | None = None, models: bool = False, to: str = "me/little") -> Prepared:
    """Write what would be published to a folder."""
    prepared = prepare(zoo, parse(to), day=DAY, where=where, with_models=models)
    write(prepared, zoo, out)
    return prepared


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def point_to(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hub's client in this process talk to a fake hub, logged in, without Xet."""
    from huggingface_hub import constants

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return ``vitzoo publish`` as a function of its arguments: exit code, stdout, stderr."""
    import typer

    from vitzoo.cli import main as cli

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    app.command("publish")(command)

    def call(*arguments: Any) -> tuple[int, str, str]:
        kept, cli.app = cli.app, app
        try:
            code = cli.main(["publish", *map(str, arguments)])
        finally:
            cli.app = kept
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call

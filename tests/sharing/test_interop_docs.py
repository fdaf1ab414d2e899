"""Every block of docs/interop.md runs, in order, on a small zoo of nano's shape that was grown here."""

import re
import shlex
from pathlib import Path

import pytest
from little_grow import FIXED, vitzoo

TEXT = (Path(__file__).parents[2] / "docs" / "interop.md").read_text()
NANO = """\
vitzoo: 1
name: nano
licence: CC-BY-4.0
pretraining:
  architecture: {image_size: 16, patch_size: 4, dim: 64, depth: 2, heads: 2}
  dataset: {source: digits, train_limit: 64, test_limit: 50}
  hyperparameters: {seed: 42, epochs: 1, batch_size: 32, lr: 1e-3}
  grid:
    zip:
      hyperparameters.task: [supervised, contrastive]
      hyperparameters.temperature: [null, 0.1]
      architecture.head: [{kind: linear}, {kind: linear, outputs: 16}]
finetuning:
  dataset: {source: digits, train_limit: 64, test_limit: 50}
  hyperparameters: {seed: 42, epochs: 7, batch_size: 32, lr: 1e-3}
  grid:
    product:
      architecture.head: [{kind: linear}, {kind: mlp, hidden: 256}]
      hyperparameters.optimizer: [adamw, sgd]
"""


def blocks() -> list[tuple[str, str]]:
    return re.findall(r"```(bash|python)\n(.*?)```", TEXT, re.DOTALL)


def test_all_blocks_are_of_a_kind_that_is_run() -> None:
    assert len(blocks()) == TEXT.count("```") // 2
    assert len(blocks()) >= 10


def test_everything_runs(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nano.yaml").write_text(NANO)
    vitzoo(cache, "grow", tmp_path / "nano.yaml", "--zoo", tmp_path / "zoos/nano", *FIXED, "--workers", "1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VITZOO_CACHE", str(cache))
    scope: dict[str, object] = {}
    for language, text in blocks():
        if language == "python":
            exec(compile(text, "docs/interop.md", "exec"), scope)  # noqa: S102
            continue
        for line in text.splitlines():
            words = shlex.split(line.partition("  #")[0])
            assert words[0] == "vitzoo", line
            vitzoo(cache, *words[1:])

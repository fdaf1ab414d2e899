"""``docs/figures.py``, which ``make figures`` calls, on a zoo on disk."""

import hashlib
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vitzoo.zoo import Member, Zoo

SCRIPT = Path(__file__).parents[2] / "docs" / "figures.py"


def add(zoo: Zoo, name: str, parent: Member | None, edge: dict[str, Any] | None, **factors: Any) -> dict[str, Any]:
    """Add a member with one checkpoint and return the reference to it."""
    recipe = {
        "architecture": {"dim": 4, "head": {"kind": "linear"}},
        "dataset": {"source": "digits"},
        "hyperparameters": {
            "task": "supervised",
            "seed": 1,
            "epochs": 1,
            "batch_size": 8,
            "optimizer": "sgd",
            "lr": 0.1,
        }
        | factors,
        "checkpoints": {"initial": False, "every": 1},
    }
    config = {
        "format": 1,
        "name": name,
        "id": hashlib.sha256(name.encode()).hexdigest(),
        "stage": "finetuning" if parent else "pretraining",
        "parent": {"member": parent.name, "id": parent.id} if parent else None,
        "recipe": recipe,
    }
    member = zoo.add_member(config)
    accuracy = 0.1 + len(zoo.members()) / 20
    metrics = {"test_acc": accuracy, "train_acc_clean": accuracy + 0.1}
    sha256 = member.commit(1, {"w": np.full(3, accuracy, "f4")}, metrics, edge)
    return {"member": name, "epoch": 1, "sha256": sha256}


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Two backbones with two fine-tuned members each."""
    made = Zoo.create(tmp_path / "zoo", name="minute", licence="CC-BY-4.0", blueprint="x: 1\n", execution={})
    for seed in (1, 2):
        edge = add(made, f"pre{seed}", None, None, seed=seed)
        for optimizer in ("sgd", "adamw"):
            add(made, f"ft-{optimizer}-{seed}", made.member(f"pre{seed}"), edge, optimizer=optimizer)
    return made.path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr("sys.argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_writes_figures_and_prints_the_table(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, zoo, "--out", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["curves.svg", "factors.svg", "grid.svg"]
    printed = capsys.readouterr().out
    assert printed.startswith("`minute`: test accuracy by generating factor, n = 4 fine-tuned members.\n\n| factor |")
    # Accuracies rise as members are added: .2 .25 under the first backbone, .35 .4 under the second.
    assert "| **backbone** | seed 1 | 2 | 22.5 ± 3.5 | 20.0 – 25.0 | 10.0 ± 0.0 | 0.90 |" in printed
    assert "| **optimizer** | adamw | 2 | 32.5 ± 10.6 | 25.0 – 40.0 | 10.0 ± 0.0 | 0.10 |" in printed


def test_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, tmp_path)
    assert stopped.value.code == 3
    assert "is not a zoo" in capsys.readouterr().err

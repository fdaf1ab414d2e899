"""From a zoo to its measurements, and `vitzoo measure` end to end."""

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_weights import spoil

from vitzoo.analysis.summary import by_epoch, summary
from vitzoo.cli.main import main
from vitzoo.errors import InputError
from vitzoo.measures.collect import collect, trajectories
from vitzoo.measures.inference import Places
from vitzoo.measures.measurements import MEASURED
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import WEIGHTS


def test_rows_and_matrices_go_together(zoo: Zoo, places: Places) -> None:
    m = collect(zoo, places)
    assert len(m.members) == 10 and list(m.members.index) == list(range(10)) and m.left_out == ()
    assert set(MEASURED) <= set(m.members.columns)
    names = m.members["member"].to_list()
    for i, row in m.finetuned().iterrows():
        assert row["l2_distance"] == pytest.approx(m.distances[i, names.index(row["parent_member"])], rel=1e-6)
        assert row["gap"] == pytest.approx(row["train_acc_clean"] - row["test_acc"])
        assert row["gap_online"] == pytest.approx(row["train_acc"] - row["test_acc"])
    assert m.pretrained()["l2_distance"].isna().all()
    contrastive = m.pretrained().index[m.pretrained()["task"] == "contrastive"][0]
    assert np.isnan(m.agreement[contrastive]).all()
    rest = [i for i in range(10) if i != contrastive]
    # In the little zoo backbones and children see the same images, so all of them can be compared.
    assert np.isfinite(m.agreement[np.ix_(rest, rest)]).all()


def test_refined_keeps_backbones(zoo: Zoo, places: Places) -> None:
    m = collect(zoo, places)
    fine = m.refine("optimizer = 'adamw' AND head = 'mlp'")
    assert len(fine.pretrained()) == 2 and len(fine.finetuned()) == 2
    i, j = (m.members["member"].to_list().index(name) for name in fine.members["member"][-2:])
    assert fine.distances[-2, -1] == m.distances[i, j]
    assert m.refine("test_acc > 2").finetuned().empty
    with pytest.raises(InputError, match=r"no column 'test_ac'.* Did you mean 'test_acc'"):
        m.refine("test_ac > 0.65")
    with pytest.raises(InputError, match="cannot be used"):
        m.refine("1; DROP TABLE catalogue")


def test_scopes_change_statistics_only(zoo: Zoo, places: Places) -> None:
    everything, square = collect(zoo, places), collect(zoo, places, scope="square")
    assert (everything.members["kurtosis"] != square.members["kurtosis"]).all()
    assert (everything.members["l2_distance"].dropna() == square.members["l2_distance"].dropna()).all()


def test_what_is_not_sound_is_left_out_once(zoo: Zoo, places: Places) -> None:
    a, b = zoo.members("finetuning")[:2]
    spoil(a.checkpoint().path / WEIGHTS, "flipped")
    shutil.rmtree(b.checkpoint().path)
    m = collect(Zoo.open(zoo.path), places)
    assert [out.what for out in m.left_out] == [b.name, f"{a.name}, epoch 3"]
    assert len(m.members) == 8 and m.distances.shape == m.agreement.shape == (8, 8)
    assert np.isfinite(m.distances).all()


def test_summary_by_hand(zoo: Zoo, places: Places) -> None:
    m = collect(zoo, places)
    table = summary(m, ["optimizer", "stage"])
    row = next(row for row in table.rows if row.labels == ("sgd", "finetuning"))
    cells = dict(zip([column.name for column in table.columns], row.cells, strict=True))
    chosen = m.finetuned().query("optimizer == 'sgd'")
    assert cells["n"] == len(chosen) == 4
    assert cells["Accuracy"].mean == pytest.approx(100 * chosen["test_acc"].mean())
    assert cells["Accuracy"].std == pytest.approx(100 * chosen["test_acc"].std(ddof=1))
    index = chosen.index.to_list()
    pairs = [m.agreement[i, j] for i in index for j in index if i < j]
    assert (cells["Agreement"].n, cells["Agreement"].mean) == (6, pytest.approx(100 * np.mean(pairs)))
    alone = summary(m, ["member"]).rows[0]
    assert alone.cells[1].std is None and alone.cells[-1].n == 0
    with pytest.raises(InputError, match="Did you mean 'optimizer'"):
        summary(m, ["optimiser"])


def test_trajectories(zoo: Zoo, places: Places) -> None:
    frame, left_out, notes = trajectories(zoo, places, "all")
    assert (len(frame), left_out, notes) == (30, (), ())
    assert (frame[frame["epoch"] == 0]["l2_distance"].dropna() == 0).all()
    table = by_epoch(frame, zoo.name, "all")
    assert [row.labels for row in table.rows if row.labels[0] == "finetuning"] == [("finetuning", e) for e in "023"]


def run(*words: str | Path) -> int:
    return main(["measure", *map(str, words)])


def test_measure_by_command(
    zoo: Zoo, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITZOO_CACHE", str(cache))
    assert run(zoo.path) == 0
    text = capsys.readouterr().out
    assert "finetuning" in text and "Agreement, %" in text
    assert run(zoo.path, "--json", "--quantiles", "--by", "optimizer") == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["members"]) == 10 and found["left_out"] == []
    assert found["members"][0]["quantiles"]["all"]["0.5"] is not None
    assert run(zoo.path, "--epochs", "0,2", "--json", "--where", "stage = 'finetuning'") == 0
    assert {row["epoch"] for row in json.loads(capsys.readouterr().out)["members"]} == {0, 2}


def test_exit_codes(zoo: Zoo, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITZOO_CACHE", str(cache))
    assert run(zoo.path, "--epochs", "first") == 3
    assert run(zoo.path, "--scope", "heads") == 3
    assert run(zoo.path, "--where", "seed = 99") == 3
    assert run(zoo.path, "--by", "colour") == 3
    a, b = zoo.members("finetuning")[:2]
    shutil.rmtree(a.checkpoint().path)
    assert run(zoo.path) == 1
    assert f"left out: {a.name}: it is not finished: epoch 2 of 3." in capsys.readouterr().err
    spoil(b.checkpoint().path / WEIGHTS, "cut")
    assert run(zoo.path) == 4
    assert b.name in capsys.readouterr().err


def test_findings_by_command(
    zoo: Zoo, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two backbones are too few to replicate anything, which every finding then says."""
    monkeypatch.setenv("VITZOO_CACHE", str(cache))
    assert main(["findings", str(zoo.path), "--json", "--refine", "test_acc >= 0"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert len(found) == 38 and {one["verdict"] for one in found} == {"cannot be tested"}
    assert main(["findings", str(zoo.path), "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("**0 of 38 findings of the paper hold**")
    assert main(["findings", str(zoo.path)]) == 0
    assert "· cannot be tested: " in capsys.readouterr().out


def test_the_readmes_pictures_are_drawn(zoo: Zoo, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Path(__file__).parents[2] / "docs" / "figures.py"
    monkeypatch.setenv("VITZOO_CACHE", str(cache))
    monkeypatch.setattr("sys.argv", [str(script), str(zoo.path), "--out", str(tmp_path / "out"), "--measured"])
    runpy.run_path(str(script), run_name="__main__")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"grid.svg", "curves.svg", "factors.svg", "distances.svg", "map.png"}

"""The matrix and its tables, read by NumPy and pandas."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from exportable import backbone, config, empty, grow, populate

from vitzoo.blueprint.schema import Head
from vitzoo.errors import InputError
from vitzoo.sharing.exporting.run import export
from vitzoo.zoo import Zoo

FINETUNED = "stage = 'finetuning' AND head = 'linear'"


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return populate(tmp_path_factory.mktemp("grown") / "zoo")


def read(out: Path) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    weights = np.load(out / "weights.npy", mmap_mode="r", allow_pickle=False)
    return weights, pd.read_csv(out / "layout.csv", index_col="name"), pd.read_csv(out / "metrics.csv", index_col="row")


def test_every_row_is_a_checkpoint(zoo: Zoo, tmp_path: Path) -> None:
    weights, layout, metrics = read(export(zoo, "npz", tmp_path / "out", where=FINETUNED, epochs="all").out)
    assert isinstance(weights, np.memmap)
    assert (weights.dtype, len(weights)) == (np.dtype("<f4"), 6)
    assert layout["end"].iloc[-1] == weights.shape[1]
    assert list(layout["begin"][1:]) == list(layout["end"][:-1])
    for row, about in metrics.iterrows():
        checkpoint = zoo.checkpoint(about["member"], about["epoch"])
        assert about["sha256"] == checkpoint.sha256
        tensors = checkpoint.tensors()
        assert list(layout.index) == list(tensors)
        for name, (begin, end, shape) in zip(layout.index, layout.to_numpy(), strict=True):
            assert np.array_equal(weights[row, begin:end].reshape(json.loads(shape)), tensors[name])


def test_the_table_has_the_catalogues_factors_and_metrics(zoo: Zoo, tmp_path: Path) -> None:
    *_, metrics = read(export(zoo, "npz", tmp_path / "out", where=FINETUNED, epochs="all").out)
    expected = zoo.table(FINETUNED)
    assert set(metrics) == set(expected) - {"path", "size"}
    for name in ("test_acc", "test_loss", "lr", "epoch", "member", "is_last"):
        pd.testing.assert_series_equal(
            metrics[name], expected[name], check_names=False, check_index=False, check_dtype=False
        )
    assert [json.loads(text) for text in metrics["betas"]] == [[0.9, 0.999]] * 6
    assert metrics["test_loss"].isna().sum() == 2  # epoch 0 of both


def test_provenance_names_rows(zoo: Zoo, tmp_path: Path) -> None:
    out = export(zoo, "npz", tmp_path / "out", where=FINETUNED).out
    found = json.loads((out / "provenance.json").read_text())
    assert [(one["row"], one["vitzoo"]["member"]) for one in found["checkpoints"]] == [
        (0, "ft-linear-contrastive"),
        (1, "ft-linear-supervised"),
    ]
    assert (found["to"], found["where"], found["epochs"], found["part"]) == ("npz", FINETUNED, "last", "model")


def test_the_readme_runs(zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = export(zoo, "npz", tmp_path / "out", where=FINETUNED).out
    monkeypatch.chdir(out)
    names: dict = {}
    exec((out / "README.md").read_text().split("```python\n")[1].split("```")[0], names)  # noqa: S102
    found = names["tensor"](1, "blocks.1.mlp.fc1.weight")
    expected = zoo.checkpoint("ft-linear-supervised").tensors(["blocks.1.mlp.fc1.weight"])["blocks.1.mlp.fc1.weight"]
    assert np.array_equal(found, expected)


def test_members_of_different_shape_are_refused_by_name(zoo: Zoo, tmp_path: Path) -> None:
    said = (
        r"the tensor 'head.weight' is \[6, 12\] in pre-contrastive, epoch 2, and \[10, 12\] in pre-supervised, epoch 2"
        r"\. Narrow --where, or take --part backbone"
    )
    with pytest.raises(InputError, match=said):
        export(zoo, "npz", tmp_path / "out")
    with pytest.raises(InputError, match=r"'head.weight' is \[10, 12\] in ft-linear-.*missing in ft-mlp-supervised"):
        export(zoo, "npz", tmp_path / "out", where="member LIKE 'ft-%-supervised'")
    assert not list(tmp_path.iterdir())


def test_backbones_of_all_members_share_a_matrix(zoo: Zoo, tmp_path: Path) -> None:
    weights, layout, _ = read(export(zoo, "npz", tmp_path / "out", part="backbone").out)
    assert len(weights) == 6
    assert layout.index[-1] == "norm.bias"


def test_heads_alone(zoo: Zoo, tmp_path: Path) -> None:
    _, layout, _ = read(export(zoo, "npz", tmp_path / "out", where="head = 'mlp'", part="head").out)
    assert list(layout.index) == ["head.0.weight", "head.0.bias", "head.2.weight", "head.2.bias"]


def test_a_part_that_is_not_there_is_refused(tmp_path: Path) -> None:
    zoo, arch = empty(tmp_path / "zoo"), backbone()
    member = zoo.add_member(config("bare", arch, epochs=1))
    for epoch in (0, 1):
        member.commit(epoch, {"norm.bias": np.zeros(3, "f4")}, {}, None)
    with pytest.raises(InputError, match=r"bare, epoch 1, has no head\."):
        export(zoo, "npz", tmp_path / "out", part="head")


@pytest.mark.parametrize(("dtype", "exact"), [("f2", True), ("f4", True), ("f8", False), ("i4", False)])
def test_types_are_kept_exactly_or_refused(tmp_path: Path, dtype: str, exact: bool) -> None:
    zoo, arch = empty(tmp_path / "zoo"), backbone()
    grow(zoo.add_member(config("one", arch)), arch, dtype=dtype)
    if exact:
        weights, layout, _ = read(export(zoo, "npz", tmp_path / "out").out)
        begin, end, _ = layout.loc["norm.bias"]
        assert np.array_equal(weights[0, begin:end], zoo.checkpoint("one").tensors()["norm.bias"])
    else:
        with pytest.raises(InputError, match="tensor 'cls_token': float32 does not hold all values of"):
            export(zoo, "npz", tmp_path / "out")


def test_tensors_in_another_order_go_to_the_same_columns(tmp_path: Path) -> None:
    zoo, arch = empty(tmp_path / "zoo"), backbone()
    for name, order in (("a", 1), ("b", -1)):
        member = zoo.add_member(config(name, arch, epochs=1))
        for epoch in (0, 1):
            pair = {"x": np.zeros(3, "f4"), "y": np.ones(2, "f4")}
            member.commit(epoch, dict(list(pair.items())[::order]), {}, None)
    weights, *_ = read(export(zoo, "npz", tmp_path / "out").out)
    assert weights.tolist() == [[0, 0, 0, 1, 1]] * 2


def test_memory_does_not_grow_with_the_number_of_checkpoints(tmp_path: Path) -> None:
    zoo = empty(tmp_path / "zoo")
    arch = backbone(Head(outputs=10), dim=48, depth=4)  # 0.3 MB
    grow(zoo.add_member(config("long", arch, epochs=60)), arch)
    peaks = []
    for number in (4, 60):
        tracemalloc.start()
        found = export(zoo, "npz", tmp_path / str(number), epochs=list(range(number)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert found.bytes > 15_000_000
    assert peaks[1] - peaks[0] < 1_500_000, peaks  # rows of the catalogue; the weights are 16 MB more


@pytest.mark.parametrize(
    ("text", "kept"), [("=HYPERLINK(1)", "'=HYPERLINK(1)"), ('a,b\n"c"', 'a,b·"c"'), ("-1.5", "-1.5"), ("ü", "ü")]
)
def test_text_in_the_table_is_neither_run_nor_breaks_a_line(tmp_path: Path, text: str, kept: str) -> None:
    zoo, arch = empty(tmp_path / "zoo"), backbone()
    about = config("one", arch)
    about["recipe"]["hyperparameters"]["optimizer"] = text
    grow(zoo.add_member(about), arch)
    out = export(zoo, "npz", tmp_path / "out").out
    table = pd.read_csv(out / "metrics.csv", dtype=str)
    assert table["optimizer"].tolist() == [kept]

"""Datasets through torch's own DataLoader, held to what the safetensors library reads and to timm's logits."""

import gc
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader
from vit_zoo import EPOCHS

from vitzoo.errors import InputError, IntegrityError
from vitzoo.torch import Checkpoints, Permute, Stream, TokenLayout, pad
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import WEIGHTS

LINEAR = "stage = 'finetuning' AND head = 'linear'"


def stored(data, index):
    """A checkpoint's tensors as the safetensors library reads them."""
    return load_file(data.zoo.path / data.rows[index]["path"] / WEIGHTS)


def test_three_lines_from_a_query_to_a_loader(zoo):
    data = Checkpoints(zoo, LINEAR, targets="test_acc")
    for x, y in DataLoader(data, batch_size=4):
        assert x.shape == (4, data.layout().width) and y.shape == (4,)
        assert x.dtype == y.dtype == torch.float32
    assert len(data) == 8


@pytest.mark.parametrize("part", ("model", "backbone", "head"))
def test_forms_hold_what_the_files_hold(zoo, part):
    where = LINEAR if part != "backbone" else None
    flat, layers, tokens = (Checkpoints(zoo, where, form=f, part=part) for f in ("flat", "layers", "tokens"))
    for i in range(len(flat)):
        expected = {
            name: tensor
            for name, tensor in stored(flat, i).items()
            if part == "model" or name.startswith("head.") == (part == "head")
        }
        found = [flat.layout(i).views(flat[i][0]), layers[i][0], tokens.layout(i).unpack(tokens[i][0]["tokens"])]
        for each in found:
            assert list(each) == list(flat.layout(i).shapes) and set(each) == set(expected)
            assert all(torch.equal(each[name], expected[name]) for name in expected)


def test_only_the_part_that_is_asked_for_is_read(zoo, monkeypatch):
    from vitzoo.zoo import safetensors_io

    asked = []
    read = safetensors_io.read
    monkeypatch.setattr(safetensors_io, "read", lambda path, names=None: asked.append(names) or read(path, names))
    Checkpoints(zoo, LINEAR, part="head")[0]
    assert asked == [["head.weight", "head.bias"]]


def test_models_are_timms(zoo):
    data = Checkpoints(zoo, form="model", targets="test_acc")
    for i in (0, len(data) - 1):
        model, _ = data[i]
        expected = stored(data, i)
        assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    (batch,) = DataLoader(data, batch_size=len(data), collate_fn=list)
    assert len(batch) == len(data)


def test_targets_are_the_catalogues(zoo):
    data = Checkpoints(zoo, LINEAR, epochs="all", targets=("test_acc", "optimizer"), categories=("epoch",))
    assert data.levels == {"optimizer": ["adamw", "sgd"], "epoch": [0, 1, 2]}
    for row, (_, y) in zip(data.rows, data, strict=True):
        assert float(y["test_acc"]) == pytest.approx(row["test_acc"])
        assert data.levels["optimizer"][y["optimizer"]] == row["optimizer"]
        assert data.levels["epoch"][y["epoch"]] == row["epoch"]
    (_, y), *_ = DataLoader(data, batch_size=5)
    assert y["optimizer"].dtype == torch.int64 and y["test_acc"].shape == (5,)


def test_missing_targets_are_an_error_that_names_them_or_nan(zoo):
    with pytest.raises(InputError, match=r"no 'extra', the first is pre-a, epoch 2\. Narrow .* missing='nan'"):
        Checkpoints(zoo, "stage <> 'merging'", part="backbone", targets="extra")
    data = Checkpoints(zoo, "stage <> 'merging'", part="backbone", targets="extra", missing="nan")
    values = torch.stack([y for _, y in data])
    assert values.isnan().tolist() == [row["extra"] is None for row in data.rows] and values.isnan().any()
    with pytest.raises(InputError, match="have no 'parent_optimizer'"):
        Checkpoints(zoo, part="backbone", targets="parent_optimizer", missing="nan")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"where": "stage = 'finetuning'"}, r"'head\.weight' is \[3, 8\] in ft-a-adamw and missing in ft-a-mlp"),
        ({"form": "tokens"}, r"differ in shape: .*give tokens a width"),
        ({"where": "lr > 5"}, r"no finished member that fits 'lr > 5'"),
        ({"where": "lrr > 5"}, r"no column 'lrr'\. Did you mean"),
        ({"where": LINEAR, "targets": "test_ac"}, r"no column 'test_ac'.*Did you mean 'test_acc'"),
        ({"where": LINEAR, "targets": "mean"}, r"'mean' holds .* neither a number nor a word"),
        ({"where": LINEAR, "missing": "zero"}, r"'zero' is no way"),
        ({"form": "rows"}, r"'rows' is no form"),
        ({"part": "tail"}, r"'tail' is no part"),
        ({"form": "model", "part": "backbone"}, r"timm model is whole"),
        ({"where": LINEAR, "width": 4}, r"only tokens have one"),
        ({"where": LINEAR, "form": "tokens", "width": 0}, r"positive number"),
    ],
)
def test_what_cannot_be_is_refused(zoo, options, said):
    with pytest.raises(InputError, match=said):
        Checkpoints(zoo, **options)


def test_tokens_of_one_width_are_padded_to_the_longest(zoo):
    data = Checkpoints(zoo, "stage = 'finetuning'", form="tokens", width=9, targets="test_acc")
    ((x, y),) = DataLoader(data, batch_size=len(data), collate_fn=pad)
    counts = [data.layout(i).count for i in range(len(data))]
    assert len(set(counts)) == 2 and x["tokens"].shape == x["mask"].shape == (len(data), max(counts), 9)
    assert y.shape == (len(data),) and x["positions"].shape == (len(data), max(counts), 3)
    for i, count in enumerate(counts):
        assert x["mask"][i].sum() == sum(tensor.numel() for tensor in stored(data, i).values())
        assert (x["tokens"][i][~x["mask"][i]] == 0).all()
        back = data.layout(i).unpack(x["tokens"][i, :count])
        assert all(torch.equal(back[name], tensor) for name, tensor in stored(data, i).items())


def by_key(data, **options):
    """Everything a loader yields, in order: the member's code, the epoch and the weights."""
    return [(int(y["member"]), int(y["epoch"]), x) for x, y in DataLoader(data, batch_size=None, **options)]


WHO = {"part": "backbone", "epochs": "all", "targets": ("member", "epoch")}


def same(a, b):
    return [x[:2] for x in a] == [x[:2] for x in b] and all(torch.equal(x[2], y[2]) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("workers", (0, 2))
def test_a_stream_yields_everything_once_in_a_seeded_order(zoo, workers):
    data = Stream(zoo, buffer=7, seed=3, transform=Permute(5), **WHO)
    plain = Checkpoints(zoo, transform=Permute(5), **WHO)
    passes = []
    for epoch in (0, 1, 0):
        data.set_epoch(epoch)
        plain.set_epoch(epoch)
        found = by_key(data, num_workers=workers)
        assert same(sorted(found, key=lambda item: item[:2]), sorted(by_key(plain), key=lambda item: item[:2]))
        passes.append(found)
    assert same(passes[0], passes[2]) and not same(passes[0], passes[1])
    assert [item[:2] for item in passes[0]] != [item[:2] for item in passes[1]]


def test_a_buffer_of_one_is_the_catalogues_order(zoo):
    data = Stream(zoo, buffer=1, **WHO)
    assert same(by_key(data), by_key(Checkpoints(zoo, **WHO)))


@pytest.mark.parametrize("workers", (0, 2))
def test_shards_are_disjoint_and_complete(zoo, workers):
    shares = [by_key(Stream(zoo, shard=(i, 3), **WHO), num_workers=workers) for i in range(3)]
    keys = [item[:2] for share in shares for item in share]
    assert len(keys) == len(set(keys)) == len(zoo.rows())
    with pytest.raises(InputError, match="do not fit"):
        Stream(zoo, shard=(3, 3), **WHO)


def test_workers_read_the_same_and_hear_of_epochs(zoo):
    data = Checkpoints(zoo, transform=Permute(5), **WHO)
    loader = DataLoader(data, batch_size=None, num_workers=2, persistent_workers=True)
    alone = DataLoader(data, batch_size=None)
    passes = []
    for epoch in (0, 1):
        data.set_epoch(epoch)
        passes.append([x for x, _ in loader])
        assert all(torch.equal(a, b) for a, (b, _) in zip(passes[-1], alone, strict=True))
    assert not torch.equal(passes[0][0], passes[1][0])


def test_forked_workers_leave_the_parents_connections_alone(grown):
    """A zoo is garbage only a collector finds; DuckDB's connection in it may not be destroyed without its threads."""
    gc.disable()
    try:
        data = Checkpoints(Zoo.open(grown), LINEAR, transform=collecting)
        loader = DataLoader(data, batch_size=None, num_workers=1, multiprocessing_context="fork")
        assert len(list(loader)) == len(data)
    finally:
        gc.enable()


def collecting(params, about):
    gc.collect()
    return params


@pytest.mark.parametrize("kind", (Checkpoints, Stream))
def test_datasets_survive_pickling_after_use(zoo, kind):
    data = kind(zoo, LINEAR, targets=("test_acc",), transform=Permute(1))
    before = [x for x, _ in data]
    again = pickle.loads(pickle.dumps(data))  # noqa: S301  (as a DataLoader sends it)
    assert all(torch.equal(a, b) for a, (b, _) in zip(before, again, strict=True))
    assert pickle.dumps(data).find(b"duckdb") < 0


def test_damage_is_found(zoo, tmp_path):
    path = shutil.copytree(zoo.path, tmp_path / "zoo")
    data = Checkpoints(path, LINEAR, epochs="all")
    other = data.zoo.path / data.rows[0]["path"] / WEIGHTS
    mlp = next((path / "finetuning").glob(f"*/ft-a-mlp/checkpoint_00000{EPOCHS}")) / WEIGHTS
    other.write_bytes(mlp.read_bytes())
    data[1]
    with pytest.raises((InputError, IntegrityError), match=r"head\.weight"):
        data[0]
    other.write_bytes(other.read_bytes()[:-4])
    with pytest.raises(IntegrityError, match="bytes"):
        data[0]


def test_a_negative_index_counts_from_the_end(zoo):
    data = Checkpoints(zoo, LINEAR)
    assert torch.equal(data[-1][0], data[len(data) - 1][0])
    with pytest.raises(IndexError):
        data[len(data)]


def test_positions_are_those_of_sane():
    """Place, layer and row, as its tokenizer numbers those of linear maps with biases."""
    layout = TokenLayout({"0.weight": (2, 5), "0.bias": (2,), "1.weight": (3, 2), "1.bias": (3,)}, width=3)
    assert layout.positions.tolist() == [
        [0, 0, 0],
        [1, 0, 0],
        [2, 0, 1],
        [3, 0, 1],
        [4, 1, 0],
        [5, 1, 1],
        [6, 1, 2],
    ]
    assert layout.mask.all()

"""Folders that somebody made to do harm: each survey ends, quickly, with a typed error or with what it left out."""

import json
import os
import socket
import time

import pytest
from folder_trees import write_csv
from hypothesis import given, settings
from hypothesis import strategies as st

from vitzoo.errors import InputError
from vitzoo.sharing.importing.layouts import folder
from vitzoo.sharing.importing.layouts.folder import tree

WEIGHTS = "a/model.safetensors"
CONFIGS = {
    "no-json": b"{",
    "list": b"[]",
    "binary": bytes(range(256)),
    "twice": b'{"model_type": "vit", "model_type": "resnet"}',
    "deep": b'{"model_type": "vit", "x": ' + b"[" * 40 + b"]" * 40 + b"}",
    "deeper": b"[" * 200_000,
    "digits": b'{"model_type": "vit", "num_attention_heads": ' + b"9" * 5000 + b"}",
    "heads-list": b'{"model_type": "vit", "num_attention_heads": [6]}',
    "heads-nan": b'{"model_type": "vit", "num_attention_heads": NaN}',
    "type-object": b'{"model_type": {"vit": 1}}',
    "arch-object": b'{"architecture": {"vit": 1}}',
    "arch-null": b'{"architecture": null}',
    "eps-infinite": b'{"model_type": "vit", "layer_norm_eps": Infinity}',
    "too-large": b'{"model_type": "vit", "x": "' + b"x" * 8_000_001 + b'"}',
}


def put(root, name, data=b"weights"):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_hostile_config_unplaces_its_model_and_no_other(tmp_path, name):
    put(tmp_path, WEIGHTS)
    put(tmp_path, "a/config.json", CONFIGS[name])
    put(tmp_path, "good.pt")
    began = time.monotonic()
    survey = folder.survey(tmp_path)
    assert time.monotonic() - began < 5
    assert [member.key for member in survey.members] == ["good.pt"]
    (line,) = [line for line in survey.unplaced if line.key == "a"]
    assert line.model and len(line.reason) < 400


@pytest.mark.parametrize(
    "said",
    [
        {"model_args": [1]},
        {"pretrained_cfg": 3},
        {"pretrained_cfg": {"mean": ["a", 1, 2], "std": [0, 0, 0], "input_size": "large"}},
        {"pretrained_cfg": {"mean": [1, 2], "std": None}},
        {"recipe": {"hyperparameters": {"lr": -1}, "dataset": [], "augmentation": {"flip": 7}}},
        {"recipe": "none", "parent": {"member": 3}},
        {"\ud800": "half a pair"},
        {"label_names": ["x"] * 10_000},
        {"notes": "x" * 500_000},
    ],
)
def test_odd_values_beside_a_sound_architecture_are_left_out(tmp_path, said):
    put(tmp_path, WEIGHTS)
    put(tmp_path, "a/config.json", json.dumps({"architecture": "vit_tiny_patch16_224"} | said).encode())
    try:
        survey = folder.survey(tmp_path)
    except InputError:
        return
    for member in survey.members:
        assert member.recipe == {"architecture": {"heads": 3}}
        assert len(json.dumps(member.declared, ensure_ascii=False).encode()) < 250_000
        assert len("".join(member.notes)) < 2_000


def test_links_are_not_followed(tmp_path):
    put(tmp_path, "outside/model.safetensors")
    root = tmp_path / "root"
    put(root, "good.pt")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "file.pt").symlink_to(tmp_path / "outside/model.safetensors")
    (root / "loop").symlink_to(root)
    put(root, "a/model.safetensors")
    (root / "a/config.json").symlink_to("/etc/passwd")
    (root / "factors.csv").symlink_to("/etc/passwd")
    survey = folder.survey(root)
    assert sorted(member.key for member in survey.members) == ["a/model.safetensors", "good.pt"]
    links = {line.key for line in survey.unplaced if "symbolic link" in line.reason}
    assert links == {"a/config.json", "factors.csv", "file.pt", "loop", "out"}


def test_pipes_sockets_and_folders_with_names_of_files(tmp_path):
    put(tmp_path, "good.pt")
    os.mkfifo(tmp_path / "pipe.pt")
    os.mkfifo(tmp_path / "config.json")
    (tmp_path / "folder.pt").mkdir()
    put(tmp_path, "a/model.safetensors")
    (tmp_path / "a/config.json").mkdir()
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "s.pt"))
        began = time.monotonic()
        survey = folder.survey(tmp_path)
        assert time.monotonic() - began < 2
    assert sorted(member.key for member in survey.members) == ["a/model.safetensors", "good.pt"]
    told = {line.key for line in survey.unplaced if line.reason == "is no plain file"}
    assert told == {"pipe.pt", "config.json", "s.pt"}


def test_names_that_are_no_printable_text_are_left_out(tmp_path):
    put(tmp_path, "good.pt")
    for name in (b"line\nbreak.pt", b"\xff\xfe.pt", b"\x1b[31mred.pt", b"\xe2\x80\xae.pt"):
        os.close(os.open(os.fsencode(tmp_path) + b"/" + name, os.O_CREAT))
    survey = folder.survey(tmp_path)
    assert [member.key for member in survey.members] == ["good.pt"]
    told = [line for line in survey.unplaced if "no printable text" in line.reason]
    assert len(told) == 4 and all(str(line).isprintable() and str(line).isascii() for line in told)


def test_too_many_names_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tree, "ENTRIES", 10)
    for number in range(11):
        put(tmp_path, f"{number}.pt", b"")
    with pytest.raises(InputError, match="over 10 names"):
        folder.survey(tmp_path)


def test_a_deep_tree_is_not_walked(tmp_path):
    place = tmp_path
    for _ in range(200):
        place = place / "d"
    place.mkdir(parents=True)
    put(place, "model.pt")
    assert not folder.fits(tmp_path)
    survey = folder.survey(tmp_path)
    assert not survey.members and "folders deep" in survey.unplaced[0].reason


def test_texts_of_a_table_lead_nowhere(tmp_path):
    put(tmp_path, "zoo/good.pt")
    put(tmp_path, "secret.pt")
    rows = [{"path": "../secret.pt"}, {"path": "/etc/passwd"}, {"path": "~/x"}, {"path": "..\\secret.pt"}]
    write_csv(tmp_path / "zoo/factors.csv", [{"path": "good.pt"}, *rows])
    survey = folder.survey(tmp_path / "zoo")
    assert [member.key for member in survey.members] == ["good.pt"]
    assert sum("not in the folder" in line.reason for line in survey.unplaced) == 4


def test_cells_are_text_and_nothing_more(tmp_path):
    put(tmp_path, "good.pt")
    cells = {"formula": '=HYPERLINK("http://x")', "script": "<script>alert(1)</script>", "long": "x" * 9_999}
    write_csv(tmp_path / "factors.csv", [{"path": "good.pt", **cells}])
    (member,) = folder.survey(tmp_path).members
    assert cells.items() <= member.declared["table"].items()


def test_names_of_parents_and_columns_cannot_speak_to_a_terminal(tmp_path):
    put(tmp_path, "good.pt")
    row = {
        "path": "good.pt",
        "parent": "a\x1b[2Jb",
        "base_model": "x" * 600,
        "test\nacc": 85.0,
        "source_model": "\ud800",
    }
    put(tmp_path, "factors.json", json.dumps([row]).encode())
    survey = folder.survey(tmp_path)
    (member,) = survey.members
    assert member.parent_hint is None and member.stage == "pretraining" and "table" not in member.declared
    for text in (*member.notes, *map(str, survey.unplaced)):
        assert text.isprintable() and text.encode()


def test_a_card_of_another_age_of_the_earth(tmp_path):
    for name, text in {
        "bomb": "---\na: &a [x, x]\nb: &b [*a, *a]\n---\n",
        "tag": "---\nbase_model: !!python/object/apply:os.system [id]\n---\n",
        "open": "---\nbase_model: x\n",
        "binary": "---\nbase_model: \udcff\n---\n",
        "number": "---\nbase_model: 3\ndatasets: 4\n---\n",
        "list": "---\n- 1\n---\n",
        "long": "---\nbase_model: " + "x" * 100_000 + "\n---\n",
    }.items():
        put(tmp_path, f"{name}/model.safetensors")
        put(tmp_path, f"{name}/config.json", b'{"architecture": "vit_tiny_patch16_224"}')
        put(tmp_path, f"{name}/README.md", text.encode("utf-8", "surrogateescape"))
    survey = folder.survey(tmp_path)
    assert len(survey.members) == 7 and all(member.parent is None for member in survey.members)


def test_nothing_is_opened_but_configs_cards_and_tables(tmp_path, monkeypatch):
    put(tmp_path, WEIGHTS)
    put(tmp_path, "a/config.json", b'{"architecture": "vit_tiny_patch16_224"}')
    put(tmp_path, "b/pytorch_model.bin")
    put(tmp_path, "c/training_args.bin")
    opened, real = [], os.open
    monkeypatch.setattr(os, "open", lambda path, *args: opened.append(str(path)) or real(path, *args))
    folder.survey(tmp_path)
    assert {path.rpartition("/")[2] for path in opened if path.startswith(str(tmp_path))} == {"config.json"}


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.lists(
            st.sampled_from(["a", "epoch_1", "checkpoint-5", "model.pt", "model.safetensors", "config.json"]),
            min_size=1,
            max_size=4,
        ).map(tuple),
        st.sampled_from([b"{}", b'{"architecture": "vit_tiny_patch16_224"}', b'{"model_type": "vit"}', b""]),
        max_size=12,
    )
)
def test_of_any_tree_every_file_of_weights_is_a_checkpoint_or_told(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("tree")
    for parts, data in files.items():
        path = root.joinpath(*parts)
        if not any(parent.is_file() for parent in path.parents) and not path.is_dir():
            put(root, "/".join(parts), data)
    survey = folder.survey(root)
    taken = {file.path for member in survey.members for file in member.checkpoints.values()}
    told = [line.key for line in survey.unplaced]
    for path in root.rglob("*"):
        if path.is_file() and path.suffix in (".pt", ".safetensors") and path not in taken:
            key = path.relative_to(root).as_posix()
            noted = any(path.name in note for member in survey.members for note in member.notes)
            assert noted or any(k == "." or f"{key}/".startswith(f"{k}/") or "more" in k for k in told), key
    assert len({member.key for member in survey.members}) == len(survey.members)

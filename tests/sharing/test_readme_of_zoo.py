"""The README inside a zoo: what it says is true, it is written anew, and a person's words are left alone."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exportable import LINEAR, backbone, config, empty, grow, populate, tensors
from little_grow import FIXED, vitzoo
from markdown_it import MarkdownIt

from vitzoo.analysis import factors as analysis
from vitzoo.sharing import readme
from vitzoo.sharing.readme.about import about
from vitzoo.sharing.readme.mark import is_ours, marked
from vitzoo.sharing.readme.text import PLACE, text
from vitzoo.zoo import Zoo, imported, merge, verify


@pytest.fixture
def zoo(tmp_path: Path) -> Zoo:
    return populate(tmp_path / "zoo")


def test_grow_writes_it_and_verify_knows_it(grown: Path) -> None:
    written = (grown / "README.md").read_text()
    assert is_ours(written)
    assert verify(Zoo.open(grown)).ok
    assert (
        "a population of 10 models, 2 pre-trained (1 contrastive and 1 supervised) on digits and 8 fine-tuned"
        in written
    )
    assert "30 checkpoints" in written
    assert "| MixUp | – | 0.8 |" in written


def test_growing_on_leaves_a_persons_words(grown: Path, cache: Path, tmp_path: Path) -> None:
    zoo = shutil.copytree(grown, tmp_path / "zoo")
    shutil.rmtree(min((zoo / "finetuning").glob("*/*")))  # so that there is something to grow
    (zoo / "README.md").write_text("mine\n")
    done = vitzoo(cache, "grow", zoo / "blueprint.yaml", "--zoo", zoo, *FIXED, "--workers", "1")
    assert "README.md is left as it is, because somebody changed it." in done.stdout
    assert (zoo / "README.md").read_text() == "mine\n"


def test_it_follows_the_zoo(zoo: Zoo) -> None:
    assert readme.write(zoo)
    before = (zoo.path / "README.md").read_text()
    arch = backbone(LINEAR)
    grow(zoo.add_member(config("another", arch)), arch)
    assert readme.write(zoo)
    after = (zoo.path / "README.md").read_text()
    assert "population of 6 models" in before
    assert "population of 7 models" in after


def test_it_needs_neither_torch_nor_matplotlib(zoo: Zoo) -> None:
    zoo.catalogue()
    program = (
        "import sys, vitzoo\nfrom vitzoo.sharing import readme\n"
        f"assert readme.write(vitzoo.open({str(zoo.path)!r}))\n"
        "print([name for name in ('torch', 'timm', 'matplotlib', 'huggingface_hub') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_same_zoo_gets_the_same_text(zoo: Zoo) -> None:
    assert readme.write(zoo)
    first = (zoo.path / "README.md").read_bytes()
    inode = (zoo.path / "README.md").stat().st_ino
    assert readme.write(Zoo.open(zoo.path))
    assert (zoo.path / "README.md").read_bytes() == first
    assert (zoo.path / "README.md").stat().st_ino == inode  # not even replaced


def test_a_persons_words_stay(zoo: Zoo) -> None:
    path = zoo.path / "README.md"
    assert readme.write(zoo)
    for changed in (
        path.read_text() + "More.\n",
        "# mine\n",
        marked("x") + "y",
        "\udcff".encode(errors="surrogateescape"),
    ):
        data = changed if isinstance(changed, bytes) else changed.encode()
        path.write_bytes(data)
        assert not readme.write(zoo)
        assert path.read_bytes() == data


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_is_left_alone(zoo: Zoo, tmp_path: Path, kind: str) -> None:
    path, target = zoo.path / "README.md", tmp_path / "target"
    target.write_text(marked("# zoo"))
    if kind == "link":
        path.symlink_to(target)
    elif kind == "folder":
        path.mkdir()
    else:
        subprocess.run(["mkfifo", path], check=True)
    assert not readme.write(zoo)
    assert target.read_text() == marked("# zoo")


def test_accuracies_are_those_of_the_analysis(grown: Path) -> None:
    zoo = Zoo.open(grown)
    ours = {(level.factor, level.level): level for level in about(zoo).accuracies}
    theirs = analysis.by_factor(zoo.table())
    compared = 0
    for row in theirs.to_dict("records"):
        if row["factor"] == "backbone":
            continue
        level = ours[(row["factor"], row["level"])]
        numbers = [level.mean, level.std, level.low, level.high]
        np.testing.assert_allclose(numbers, [row[name] for name in ("acc_mean", "acc_std", "acc_min", "acc_max")])
        assert level.n == row["n"]
        compared += 1
    assert compared == len(ours) == 7  # all, and two levels of task, optimizer and head


def test_the_examples_run(zoo: Zoo) -> None:
    blocks = re.findall(r"```python\n(.*?)```", text(about(zoo)), re.DOTALL)
    assert len(blocks) == 2
    names: dict = {}
    for block in blocks:
        exec(block.replace(PLACE, str(zoo.path)), names)  # noqa: S102
    best = max(zoo.rows("is_last AND stage = 'finetuning' AND head = 'linear'"), key=lambda row: row["test_acc"])
    stored = zoo.checkpoint(best["member"]).state_dict()
    for name, tensor in names["model"].state_dict().items():
        assert np.array_equal(tensor.numpy(), stored[name].numpy())
        assert np.array_equal(tensor.numpy(), names["weights"][name])
    assert len(names["table"]) == zoo.count()


def test_merged_members_are_counted(zoo: Zoo) -> None:
    of = [zoo.checkpoint(f"ft-linear-{task}") for task in ("supervised", "contrastive")]
    recorded = merge.make("uniform", {}, [{"member": c.member.name, "epoch": c.epoch, "sha256": c.sha256} for c in of])
    made = merge.make_config("soup", recorded, [c.member.config for c in of])
    zoo.add_merged(made, of[0].tensors(), {"test_acc": 0.3})
    said = about(Zoo.open(zoo.path))
    assert (said.members, said.statuses) == ({"pretraining": 2, "finetuning": 4, "merging": 1}, {"finished": 7})
    assert "1 merged from others" in text(said)
    assert "Merged members (1 by `uniform`)" in text(said)


def test_zoos_with_less(tmp_path: Path) -> None:
    nothing = empty(tmp_path / "nothing")
    assert "no checkpoint yet" in text(about(nothing))
    alone = empty(tmp_path / "alone")
    arch = backbone(LINEAR)
    grow(alone.add_member(config("only", arch)), arch)
    said = text(about(alone))
    assert "1 finished pre-trained member on digits at the last checkpoint: 20.0 % (mean" in said
    assert "fine-tuned" not in said.replace("fine-tuning", "")
    growing = empty(tmp_path / "growing")
    member = growing.add_member(config("slow", arch, epochs=9))
    member.commit(0, tensors(arch, 0), {}, None)
    growing.add_member(config("waiting", arch))
    assert about(growing).statuses == {"growing": 1, "planned": 1}
    assert about(growing).accuracies == ()


def test_a_strangers_names_are_words_only(tmp_path: Path) -> None:
    zoo = empty(tmp_path / "zoo", name='a|b <script>alert(1)</script> [x](http://y) `z` --><!-- "', licence="My | own")
    arch = backbone(LINEAR)
    made = config("m", arch)
    made["recipe"]["dataset"]["source"] = "folder:<img src=x>|`\n#"
    made["recipe"]["hyperparameters"]["optimizer"] = "*sgd*"
    grow(zoo.add_member(made), arch)
    assert readme.write(zoo)
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render((zoo.path / "README.md").read_text())
    body = shown.split("-->", 1)[1]
    assert not re.search(r"<(script|img|a |em|h[3-6])", body)
    assert body.count("<h1>") == 1


def test_a_damaged_member_is_passed_over(zoo: Zoo) -> None:
    (zoo.path / "pretraining" / "pre-supervised" / "config.json").write_text("{")
    assert readme.write(Zoo.open(zoo.path))
    assert about(Zoo.open(zoo.path)).statuses == {"damaged": 1, "finished": 5}


def test_members_from_elsewhere_are_said_to_be(zoo: Zoo) -> None:
    arch = backbone(LINEAR)
    made = config("theirs", arch)
    made["imported"] = imported.make("official", "place/theirs", "theirs", {"lr": 1}, [0, 1, 2], [])
    grow(zoo.add_member(made), arch)
    assert "imported from the layout `official`" in text(about(zoo))


def test_hostile_sizes_are_not_believed(tmp_path: Path) -> None:
    zoo = empty(tmp_path / "zoo")
    arch = backbone(LINEAR)
    for name, value in (("a", 10**9), ("b", None), ("c", "many")):
        made = config(name, arch)
        made["recipe"]["architecture"]["depth"] = value
        grow(zoo.add_member(made), arch)
    assert about(zoo).parameters is None
    assert readme.write(zoo)
    json.dumps(text(about(zoo)))

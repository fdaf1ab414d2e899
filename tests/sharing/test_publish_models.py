"""Model repositories of members: cards the hub takes, the tree of models, and files that timm opens."""

import re
from pathlib import Path

import pytest
import torch
from exportable import LINEAR, backbone, config, grow
from fake_hub import card_errors
from huggingface_hub import ModelCard, ModelCardData, metadata_load
from publishable import DAY, contents, dry_run, with_merged

from vitzoo.compat import ensure_torchvision
from vitzoo.errors import InputError
from vitzoo.sharing.publishing import prepare
from vitzoo.sharing.publishing.address import parse
from vitzoo.zoo import Zoo


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return with_merged(tmp_path_factory.mktemp("zoo") / "zoo")


@pytest.fixture(scope="module")
def place(zoo: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "out"
    dry_run(zoo, out, models=True)
    return out / "models"


def cards(place: Path) -> dict[str, dict]:
    return {path.parent.name.removeprefix("little-"): metadata_load(path) for path in sorted(place.glob("*/README.md"))}


def test_every_member_has_a_card_that_the_hub_takes(zoo: Zoo, place: Path) -> None:
    assert cards(place).keys() == {member.name for member in zoo.members()}
    for path in place.glob("*/README.md"):
        text = path.read_text()
        assert card_errors(text, "model") == []
        found = metadata_load(path)
        assert ModelCardData(**found).to_dict() == found
        assert ModelCard(text).data.to_dict() == found


def test_metrics_are_the_catalogues(zoo: Zoo, place: Path) -> None:
    last = {row["member"]: row for row in zoo.rows("is_last")}
    counted = 0
    for name, found in cards(place).items():
        results = ModelCard((place / f"little-{name}" / "README.md").read_text()).data.eval_results or []
        values = {result.metric_type: result.metric_value for result in results}
        if last[name]["task"] == "contrastive":
            assert values == {}
            assert found["pipeline_tag"] == "image-feature-extraction"
            continue
        known = {"accuracy": last[name]["test_acc"], "loss": last[name].get("test_loss")}
        assert values == {kind: value for kind, value in known.items() if value is not None}
        assert all(
            (r.dataset_name, r.dataset_split, r.task_type) == ("digits", "test", "image-classification")
            for r in results
        )
        counted += len(values)
    assert counted == 5 * 2 + 1  # five trained classifiers, and the merged one, whose loss is not known


def test_base_models_are_the_lineage(zoo: Zoo, place: Path) -> None:
    edges = set()
    for name, found in cards(place).items():
        bases = found.get("base_model", [])
        for base in [bases] if isinstance(bases, str) else bases:
            edges.add((base.removeprefix("me/little-"), name, found["base_model_relation"]))
    graph = zoo.lineage()
    kinds = {"descends": "finetune", "merged": "merge"}
    between = [(a, b, kinds[kind]) for a, b, kind in graph.edges(data="kind") if graph.nodes[b]["kind"] == "member"]
    assert edges == set(between)
    assert len(edges) == 4 + 2


@pytest.mark.parametrize("name", ["ft-linear-supervised", "ft-mlp-supervised", "pre-contrastive", "soup"])
def test_timm_opens_them_with_the_same_outputs(zoo: Zoo, place: Path, name: str) -> None:
    ensure_torchvision()
    import timm

    if "mlp" in name:
        import vitzoo.model.timm_entry  # noqa: F401
    model = timm.create_model(f"local-dir:{place / f'little-{name}'}", pretrained=True).eval()
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(model(images), zoo.checkpoint(name).to_timm()(images))


def test_mlp_heads_are_said_plainly(place: Path) -> None:
    for path in place.glob("*/README.md"):
        text, mlp = path.read_text(), "-mlp-" in path.parent.name
        assert ("no part of timm's models" in text) == mlp
        assert ("import vitzoo.model.timm_entry" in text) == mlp
        assert metadata_load(path)["library_name"] == ("vitzoo" if mlp else "timm")


def test_the_example_of_an_mlp_card_needs_timm_alone(zoo: Zoo, place: Path) -> None:
    folder = place / "little-ft-mlp-supervised"
    *_, block = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert "vitzoo" not in block
    here = block.replace(
        'hf_hub_download("me/little-ft-mlp-supervised", "model.safetensors")', repr(str(folder / "model.safetensors"))
    )
    assert here != block
    names: dict = {}
    exec(here, names)  # noqa: S102
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = names["model"].eval()(images)
        assert torch.equal(found, zoo.checkpoint("ft-mlp-supervised").to_timm()(images))


def test_files_are_the_last_checkpoints(zoo: Zoo, place: Path) -> None:
    for member in zoo.members():
        found = contents(place / f"little-{member.name}")
        assert found.keys() == {"README.md", "config.json", "model.safetensors"}
        assert found["config.json"] == member.config_bytes
        assert found["model.safetensors"] == (member.checkpoint().path / "model.safetensors").read_bytes()


def test_parents_come_first(zoo: Zoo) -> None:
    names = [r.address.name for r in prepare(zoo, parse("me/little"), day=DAY, with_models=True).repositories[1:]]
    for name, above in (("soup", "ft-linear-contrastive"), ("ft-linear-supervised", "pre-supervised")):
        assert names.index(f"little-{above}") < names.index(f"little-{name}")


def test_the_zoos_card_names_one_of_them(place: Path) -> None:
    text = (place.parent / "dataset" / "README.md").read_text()
    assert re.search(r"\[(little-ft-linear-\w+)\]\(https://huggingface.co/me/\1\)", text)


def test_members_that_timm_cannot_open_are_left_out(tmp_path: Path) -> None:
    zoo = with_merged(tmp_path / "zoo")
    arch = backbone(LINEAR)
    made = config("bare", arch)
    del made["model_args"], made["architecture"]
    grow(zoo.add_member(made), arch)
    prepared = prepare(zoo, parse("me/little"), day=DAY, with_models=True)
    assert prepared.left_out == ("bare: its config lacks architecture, model_args, which timm needs",)
    assert len(prepared.repositories) == 1 + 7


def test_names_that_would_be_one_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vitzoo.sharing.publishing import models

    zoo = with_merged(tmp_path / "zoo")
    monkeypatch.setattr(models, "model_name", lambda *_: "same")
    with pytest.raises(InputError, match="Several members would be me/same"):
        prepare(zoo, parse("me/little"), day=DAY, with_models=True)

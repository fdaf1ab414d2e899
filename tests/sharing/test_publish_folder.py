"""What is prepared for the hub, as a dry run writes it: a zoo, its card, its licence, and nothing else."""

import fcntl
import json
import os
import re
import shutil
import stat
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest
import yaml
from exportable import backbone, config, empty, grow, populate, tensors
from fake_hub import card_errors
from huggingface_hub import DatasetCard, DatasetCardData, metadata_load
from publishable import DAY, Run, contents, dry_run, runner, with_merged

from vitzoo.errors import BusyError, InputError, IntegrityError
from vitzoo.sharing import readme
from vitzoo.sharing.publishing import limits, prepare, write
from vitzoo.sharing.publishing.address import model_name, parse
from vitzoo.zoo import Zoo, catalogue_file, verify

OURS = {"README.md", "LICENSE", "CITATION.cff", "croissant.json", ".gitattributes", "catalogue.parquet"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    """A zoo that no test changes."""
    return with_merged(tmp_path_factory.mktemp("shared") / "zoo")


@pytest.fixture(scope="module")
def published(shared: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its dataset repository."""
    out = tmp_path_factory.mktemp("published") / "out"
    dry_run(shared, out)
    return out / "dataset"


@pytest.fixture
def zoo(shared: Zoo, tmp_path: Path) -> Zoo:
    """A copy to do things to."""
    return Zoo.open(shutil.copytree(shared.path, tmp_path / "zoo"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


def test_the_folder_is_the_zoo(shared: Zoo, published: Path) -> None:
    report = verify(Zoo.open(published), deep=True)
    assert (report.findings, report.members, report.checkpoints) == ([], 7, 19)
    original, copy = contents(shared.path), contents(published)
    kept = {place: data for place, data in copy.items() if place not in OURS and not place.startswith("figures/")}
    assert kept == {place: data for place, data in original.items() if place != "catalogue.parquet"}
    assert copy.keys() - kept.keys() == OURS | {"figures/grid.png", "figures/factors.png"}


def test_weights_are_linked_and_the_rest_is_not(shared: Zoo, published: Path) -> None:
    for path in published.rglob("*"):
        if path.is_file():
            original = shared.path / path.relative_to(published)
            linked = original.exists() and path.samefile(original)
            assert linked == (path.name == "model.safetensors")
            assert stat.S_ISREG(path.lstat().st_mode)


def test_weights_are_copied_where_they_cannot_be_linked(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    prepared = prepare(zoo, parse("me/little"), day=DAY)
    assert write(prepared, zoo, tmp_path / "out").copied == 19
    assert verify(Zoo.open(tmp_path / "out" / "dataset"), deep=True).ok


def test_nothing_that_is_no_part_of_the_zoo(zoo: Zoo, tmp_path: Path, published: Path) -> None:
    for place in (".grow", "measures", ".git", ".cache", "pretraining/.staging-x-1-ab", "finetuning/.staging-y"):
        (zoo.path / place).mkdir()
        (zoo.path / place / "secret").write_text("secret")
    (zoo.path / "pretraining" / "pre-supervised" / ".staging-000003-1-ab").mkdir()
    dry_run(zoo, tmp_path / "out")
    assert contents(tmp_path / "out" / "dataset") == contents(published)


def test_the_card_is_valid(published: Path) -> None:
    text = (published / "README.md").read_text()
    assert card_errors(text, "dataset") == []
    found = metadata_load(published / "README.md")
    assert found["license"] == "cc-by-4.0"
    assert found["size_categories"] == ["n<1K"]
    assert found["configs"][0]["data_files"] == [{"split": "checkpoints", "path": "catalogue.parquet"}]
    assert DatasetCardData(**found).to_dict() == found
    card = DatasetCard.load(published / "README.md", ignore_metadata_errors=False)
    assert card.data.to_dict() == found


def test_the_card_says_what_it_is(published: Path) -> None:
    text = (published / "README.md").read_text()
    assert "7 models, 2 pre-trained (1 contrastive and 1 supervised) on digits, 4 fine-tuned from these" in text
    for place in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (published / place).read_bytes().startswith(b"\x89PNG")
    for words in (
        'vitzoo.open("hf://datasets/me/little")',
        "hf download me/little",
        "States of optimizers",
        "@misc{me_little",
    ):
        assert words in text


def test_the_catalogue_is_the_zoos(shared: Zoo, published: Path) -> None:
    path = published / "catalogue.parquet"
    rows = duckdb.connect().execute("SELECT member, epoch, sha256 FROM read_parquet(?)", [str(path)]).fetchall()
    assert rows == [(r["member"], r["epoch"], r["sha256"]) for r in shared.rows()]
    assert pyarrow.parquet.read_table(path).to_pylist() == shared.rows()
    found = catalogue_file.decode(path)  # as a reader does who has no tree beside it
    assert found is not None
    assert found[1]["summary"] == shared.catalogue().summary


def test_it_is_the_same_every_time(shared: Zoo, published: Path, tmp_path: Path) -> None:
    dry_run(Zoo.open(shared.path), tmp_path / "again")
    assert contents(tmp_path / "again" / "dataset") == contents(published)


def test_a_part_is_a_zoo_of_what_was_chosen_and_what_it_came_from(shared: Zoo, tmp_path: Path) -> None:
    prepared = dry_run(shared, tmp_path / "out", where="member = 'ft-mlp-supervised'")
    part = Zoo.open(tmp_path / "out" / "dataset")
    assert verify(part, deep=True).ok
    assert [member.name for member in part.members()] == ["ft-mlp-supervised", "pre-supervised"]
    rows = pyarrow.parquet.read_table(part.path / "catalogue.parquet").to_pylist()
    assert {row["member"] for row in rows} == {"ft-mlp-supervised", "pre-supervised"}
    assert prepared.left == 5
    card = (part.path / "README.md").read_text()
    assert "`member = 'ft-mlp-supervised'`, and what they came from. 5 other members of it are not here." in card
    assert "2 models, 1 pre-trained on digits and 1 fine-tuned" in card


def test_a_merged_member_brings_its_ingredients_and_their_parents(shared: Zoo, tmp_path: Path) -> None:
    dry_run(shared, tmp_path / "out", where="stage = 'merging'")
    part = Zoo.open(tmp_path / "out" / "dataset")
    assert verify(part, deep=True).ok
    linear = ["ft-linear-contrastive", "ft-linear-supervised"]
    assert [member.name for member in part.members()] == [*linear, "pre-contrastive", "pre-supervised", "soup"]


def test_an_epoch_chooses_whole_members(shared: Zoo, tmp_path: Path) -> None:
    dry_run(shared, tmp_path / "out", where="member = 'pre-supervised' AND epoch = 0")
    assert len(Zoo.open(tmp_path / "out" / "dataset").member("pre-supervised").epochs()) == 3


def test_where_nothing_fits(shared: Zoo) -> None:
    with pytest.raises(InputError, match=r"No member of .* fits"):
        prepare(shared, parse("me/x"), day=DAY, where="epoch = 77")
    with pytest.raises(InputError, match="no column 'lrr'"):
        prepare(shared, parse("me/x"), day=DAY, where="lrr = 1")


def test_an_empty_zoo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no members"):
        prepare(empty(tmp_path / "zoo"), parse("me/x"), day=DAY)


def test_the_citation_is_of_the_format(published: Path) -> None:
    found = yaml.safe_load((published / "CITATION.cff").read_text())
    assert found.keys() >= {"cff-version", "message", "title", "authors"}  # what the schema requires
    known = {
        "cff-version",
        "message",
        "type",
        "title",
        "authors",
        "url",
        "license",
        "version",
        "date-released",
        "keywords",
    }
    assert found.keys() <= known
    assert found["cff-version"] == "1.2.0"
    assert found["type"] == "dataset"
    assert found["license"] == "CC-BY-4.0"
    assert found["date-released"] == "2026-03-01"
    assert found["authors"] == [{"name": "me", "website": "https://huggingface.co/me"}]
    assert all(isinstance(found[key], str) for key in ("title", "message", "version", "date-released"))


def test_what_a_person_wrote_is_taken(zoo: Zoo, tmp_path: Path) -> None:
    own = {
        "README.md": "# Mine\n",
        "LICENSE": "Ask me.\n",
        "CITATION.cff": "cff-version: 1.2.0\n",
        ".gitattributes": "* text\n",
    }
    for name, words in own.items():
        (zoo.path / name).write_text(words)
    (zoo.path / "figures").mkdir()
    (zoo.path / "figures" / "own.png").write_bytes(b"picture")
    (zoo.path / "figures" / "link.png").symlink_to("/etc/passwd")
    dry_run(zoo, tmp_path / "out")
    found = contents(tmp_path / "out" / "dataset")
    for name in ("LICENSE", "CITATION.cff", ".gitattributes"):
        assert found[name].decode() == own[name]
    assert found["README.md"].decode().endswith("---\n# Mine\n")
    assert card_errors(found["README.md"].decode(), "dataset") == []
    assert found["figures/own.png"] == b"picture"
    assert "figures/link.png" not in found
    (zoo.path / "README.md").write_text("---\nlicense: mit\n---\n# All mine\n")
    dry_run(zoo, tmp_path / "again")
    assert contents(tmp_path / "again" / "dataset")["README.md"] == b"---\nlicense: mit\n---\n# All mine\n"


@pytest.mark.parametrize("name", ["README.md", "LICENSE"])
def test_a_link_is_not_followed(zoo: Zoo, name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (zoo.path / name).symlink_to(tmp_path / "secret")
    with pytest.raises(IntegrityError):
        prepare(zoo, parse("me/x"), day=DAY)


def test_vitzoos_own_readme_gives_way_to_the_card(zoo: Zoo, published: Path, tmp_path: Path) -> None:
    assert readme.write(zoo)
    dry_run(zoo, tmp_path / "out")
    assert contents(tmp_path / "out" / "dataset") == contents(published)


def test_what_was_published_can_be_published_again_elsewhere(published: Path, tmp_path: Path) -> None:
    downloaded = Zoo.open(shutil.copytree(published, tmp_path / "zoo"))
    dry_run(downloaded, tmp_path / "out", to="you/other")
    found = contents(tmp_path / "out" / "dataset")
    for name in ("README.md", "CITATION.cff", "croissant.json"):
        assert b"you/other" in found[name]
        assert b"me/little" not in found[name]
    assert readme.write(downloaded)  # and a card that vitzoo wrote becomes a README again
    assert not (downloaded.path / "README.md").read_text().startswith("---")


def test_a_licence_without_a_known_text(tmp_path: Path) -> None:
    zoo = empty(tmp_path / "zoo", licence="My Own 1")
    arch = backbone()
    grow(zoo.add_member(config("m", arch)), arch)
    with pytest.raises(InputError, match="'My Own 1' is none that has a known text"):
        prepare(zoo, parse("me/x"), day=DAY)
    (zoo.path / "LICENSE").write_text("Ask me.\n")
    dry_run(zoo, tmp_path / "out")
    card = (tmp_path / "out" / "dataset" / "README.md").read_text()
    assert card_errors(card, "dataset") == []
    found = metadata_load(tmp_path / "out" / "dataset" / "README.md")
    assert [found[f"license{key}"] for key in ("", "_name", "_link")] == ["other", "my-own-1", "LICENSE"]


@pytest.mark.parametrize("name", ["yes", "a: b", "- x", "1e3", "'q\" {}", "---", "<b>|`*_", "ünï"])
def test_any_name_gives_a_valid_card(tmp_path: Path, name: str) -> None:
    zoo = empty(tmp_path / "zoo", name=name)
    arch = backbone()
    grow(zoo.add_member(config("m", arch)), arch)
    dry_run(zoo, tmp_path / "out")
    place = tmp_path / "out" / "dataset"
    assert card_errors((place / "README.md").read_text(), "dataset") == []
    assert metadata_load(place / "README.md")["pretty_name"] == name
    assert yaml.safe_load((place / "CITATION.cff").read_text())["title"] == f"{name}: a zoo of 1 vision transformer"
    assert json.loads((place / "croissant.json").read_text())["name"] == name


def test_a_damaged_zoo_is_refused(zoo: Zoo, tmp_path: Path, run: Run) -> None:
    path = zoo.checkpoint("ft-mlp-supervised").path / "model.safetensors"
    os.truncate(path, path.stat().st_size - 1)
    code, out, err = run(zoo.path, "--to", "me/x", "--dry-run", "--out", tmp_path / "out")
    assert (code, out) == (4, "")
    assert "is not published, because something is wrong with it" in err
    assert not (tmp_path / "out").exists()
    dry_run(zoo, tmp_path / "out", where="member = 'ft-linear-contrastive'")  # which has nothing to do with it
    assert verify(Zoo.open(tmp_path / "out" / "dataset"), deep=True).ok


def test_a_stranger_in_a_member_is_refused(zoo: Zoo) -> None:
    (zoo.member("pre-supervised").path / "notes.txt").write_text("private")
    with pytest.raises(IntegrityError, match=r"notes\.txt"):
        prepare(zoo, parse("me/x"), day=DAY)


def test_a_zoo_that_grows_is_refused(zoo: Zoo) -> None:
    lock = zoo.path / ".grow" / "lock"
    lock.parent.mkdir()
    with lock.open("w") as file:
        prepare(zoo, parse("me/x"), day=DAY)  # left by a grower that is gone
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="is being grown"):
            prepare(zoo, parse("me/x"), day=DAY)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("FILES", "81 files, and the hub wants fewer than 3"),
        ("ENTRIES", "takes 3 at most"),
        ("LARGEST", "takes less than 3"),
    ],
)
def test_limits_of_the_hub(shared: Zoo, monkeypatch: pytest.MonkeyPatch, limit: str, words: str) -> None:
    monkeypatch.setattr(limits, limit, 3)
    with pytest.raises(InputError, match=words):
        prepare(shared, parse("me/x"), day=DAY)


def test_folders_that_cannot_be_written(shared: Zoo, tmp_path: Path, run: Run) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    for out, words in ((tmp_path / "full", "is not empty"), (shared.path / "out", "within the zoo")):
        code, _, err = run(shared.path, "--to", "me/x", "--dry-run", "--out", out)
        assert code == 3
        assert words in err


def test_words_of_the_command(shared: Zoo, tmp_path: Path, run: Run) -> None:
    code, out, err = run(shared.path, "--to", "me/little", "--dry-run", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert re.fullmatch(rf"{tmp_path}/out/dataset: 81 files, [\d.]+ kB\.\nNothing was sent\. .*\n", out)
    code, out, _ = run(shared.path, "--to", "me/l", "--dry-run", "--out", tmp_path / "json", "--models", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["uploaded"] is False
    assert [r["kind"] for r in found["repositories"]] == ["dataset", *["model"] * 7]
    assert all(Path(place).is_dir() for place in found["places"])


@pytest.mark.parametrize("arguments", [["--dry-run"], ["--out", "x"]])
def test_a_dry_run_needs_a_folder(shared: Zoo, run: Run, arguments: list[str]) -> None:
    code, _, err = run(shared.path, "--to", "me/x", *arguments)
    assert code == 3
    assert "--dry-run and --out DIR belong together" in err


@pytest.mark.parametrize(
    "address", ["nano", "me/", "/x", "me/a--b", "me/a..b", "me/.a", "me/a/b", "me/" + "x" * 97, "mé/x", "me/x.git"]
)
def test_addresses_that_the_hub_would_refuse(address: str) -> None:
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    with pytest.raises(InputError):
        parse(address)
    if "/" in address.strip("/") and len(address) < 99:
        with pytest.raises(HFValidationError):
            validate_repo_id(address)


@pytest.mark.parametrize(
    "member", ["ft_linear_seed42-273fc5ba", "a=1+b", "x--y", "a..b", "m" * 128, "A.git", "x-", "a.b_c"]
)
def test_names_of_models_are_the_hubs(member: str) -> None:
    from huggingface_hub.utils import validate_repo_id

    name = model_name("nano", member, "0123456789abcdef")
    validate_repo_id(f"me/{name}")
    assert parse(f"me/{name}").name == name


def test_unfinished_members_are_said_to_be(tmp_path: Path) -> None:
    zoo = empty(tmp_path / "zoo")
    arch = backbone()
    zoo.add_member(config("slow", arch, epochs=9)).commit(0, tensors(arch, 0), {}, None)
    dry_run(zoo, tmp_path / "out")
    card = (tmp_path / "out" / "dataset" / "README.md").read_text()
    assert "The end of 1 training: these members are unfinished." in card
    assert "| **status** | 1 growing |" in card


def test_populated_zoos_need_no_merging_folder(tmp_path: Path) -> None:
    zoo = populate(tmp_path / "zoo")
    dry_run(zoo, tmp_path / "out")
    assert not (tmp_path / "out" / "dataset" / "merging").exists()

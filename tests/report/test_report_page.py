"""The page: complete in itself, well formed, and nothing in it that a stranger's zoo could turn into markup."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hostile_names import BREAKOUT, DAY, SCRIPT
from report_page import Page

import vitzoo
from vitzoo.errors import InputError
from vitzoo.measures.measurements import Measurements
from vitzoo.report import Report, write
from vitzoo.zoo import Zoo

KINDS = ("grid", "factors", "gap", "map", "distances", "agreement")


@pytest.fixture(scope="module")
def page(report: Report) -> Page:
    return Page(report.index.read_text("utf-8"))


@pytest.fixture(scope="module")
def nano(friendly: Path) -> Page:
    return Page(friendly.read_text("utf-8"))


@pytest.mark.parametrize("which", ["page", "nano"])
def test_nesting_is_valid(which: str, request: pytest.FixtureRequest) -> None:
    assert request.getfixturevalue(which).wrong == []


@pytest.mark.parametrize("which", ["page", "nano"])
def test_ids_are_unique_and_references_lead_somewhere(which: str, request: pytest.FixtureRequest) -> None:
    read = request.getfixturevalue(which)
    ids = read.ids()
    assert len(ids) == len(set(ids))
    for _, attributes in read.elements:
        for key in ("href", "xlink:href", "src"):
            value = attributes.get(key) or ""
            assert value.startswith("#") or value.startswith("data:image/png;base64,") or not value
            assert not value.startswith("#") or value[1:] in ids
        for value in attributes.values():
            for target in re.findall(r"url\(([^)]*)\)", value or ""):
                assert target.startswith("#") and target[1:] in ids
        labelled = attributes.get("aria-labelledby")
        assert labelled is None or labelled in ids


@pytest.mark.parametrize("which", ["page", "nano"])
def test_nothing_can_load_or_run(which: str, request: pytest.FixtureRequest) -> None:
    read = request.getfixturevalue(which)
    tags = {tag for tag, _ in read.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "img", "base", "form", "foreignobject", "a:href"}
    assert not [key for _, attributes in read.elements for key in attributes if key.startswith("on")]
    policies = [m["content"] for m in read.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert (policies[0] or "").startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert [m["charset"] for m in read.all("meta")[:1]] == ["utf-8"]


def test_styles_are_our_own_and_load_nothing(report: Report) -> None:
    text = report.index.read_text("utf-8")
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(styles) == text.count("<style") == 1
    assert "url(" not in styles[0] and "@import" not in styles[0]
    assert "http://" not in text and "https://" not in text


def test_hostile_names_are_shown_as_text(page: Page, report: Report) -> None:
    assert SCRIPT in page.text
    assert BREAKOUT in page.text
    raw = report.index.read_text("utf-8")
    assert "<script" not in raw and "<img" not in raw
    assert "\x00" not in raw and "\x1b" not in raw and "\u202e" not in raw


def test_figures_in_files_are_hostile_to_nobody(report: Report) -> None:
    for drawn in report.figures:
        for path in drawn.paths:
            raw = path.read_text("utf-8")
            assert "<script" not in raw and "<img" not in raw


def test_what_is_in_it(page: Page) -> None:
    for heading in ("The zoo", "Findings", "Tables", "Figures", "What was left out"):
        assert heading in page.text
    assert {f"figure-{kind}" for kind in KINDS} <= set(page.ids())
    assert {"table-table1", "table-table1-refined", "table-table2", "table-table2-refined"} <= set(page.ids())
    assert {"table-table6", "table-table7", "table-table8"} <= set(page.ids())
    assert f"vitzoo {vitzoo.__version__}, 1 March 2026" in page.text
    assert "2 members or checkpoints not counted, of which 1 because bytes are missing or wrong" in page.text
    assert "the blueprint cannot be read" in page.text
    assert "refined: " in page.text


def test_every_figure_has_a_label_and_a_caption(page: Page, report: Report) -> None:
    pictures = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    drawn = [one for one in report.figures if one.svg]
    assert len(pictures) == len(page.all("figure")) == len(page.all("figcaption")) == len(drawn) >= len(KINDS)
    for picture in pictures:
        label = picture.get("aria-label") or ""
        assert re.search(r"n = \d+", label) and len(label) > 80


def test_contents_lead_to_every_section_and_figure(page: Page) -> None:
    targets = [a["href"] for a in page.all("a")]
    assert len(targets) == len(set(targets))
    for section in page.all("section"):
        assert f"#{section['id']}" in targets
    for figure in page.all("figure"):
        assert f"#{figure['id']}" in targets


def test_every_verdict_is_a_word(page: Page, report: Report) -> None:
    marks = [span for span in page.all("span") if (span.get("class") or "").startswith("verdict")]
    assert len(marks) == len(report.findings)
    for finding in report.findings:
        assert finding.statement in page.text
        assert finding.verdict in page.text


def test_summary_of_a_plain_zoo(nano: Page, measurements: Measurements) -> None:
    accuracy = 100 * measurements.finetuned()["test_acc"]
    assert "Measured here are 6 backbones pre-trained on fractals (4 supervised and 2 contrastive)" in nano.text
    assert f"a test accuracy of {accuracy.mean():.1f} ± {accuracy.std():.1f} %" in nano.text
    assert f"n = 24), from {accuracy.min():.1f} to {accuracy.max():.1f} %." in nano.text
    assert "Nothing: every member of the zoo is finished, sound and measured." in nano.text
    assert "device cpu" in nano.text and "stack" not in nano.text.split("Generating factors")[0]
    assert "ViT 64×2, 4 heads, patch 4, at 16" in nano.text  # from the blueprint
    assert "supervised, contrastive" in nano.text
    assert "refined: " not in nano.text


def test_files(friendly: Path) -> None:
    names = sorted(path.name for path in (friendly.parent / "figures").iterdir())
    assert {f"{kind}.{suffix}" for kind in KINDS for suffix in ("svg", "png")} <= set(names)
    assert friendly.stat().st_size < 3_000_000


def test_same_input_same_bytes(zoo: Zoo, hostile: Measurements, report: Report, tmp_path: Path) -> None:
    again = write(zoo, hostile, tmp_path, day=DAY, refine="test_acc > 0.65")
    assert again.index.read_bytes() == report.index.read_bytes()


def test_figures_without_their_data_are_named(zoo: Zoo, measurements: Measurements, tmp_path: Path) -> None:
    rows = measurements.members.drop(columns="train_acc_clean").assign(gap=np.nan, test_acc=np.nan)
    unknown = np.full_like(measurements.agreement, np.nan)
    lacking = replace(measurements, members=rows, agreement=unknown, kappa=unknown)
    found = write(zoo, lacking, tmp_path, day=DAY)
    assert [one.stem for one in found.figures if not one.svg] == ["grid", "factors", "gap", "agreement"]
    text = Page(found.index.read_text("utf-8")).text
    assert (
        "The grid of generating factors: not drawn. No test accuracy of a fine-tuned member could be measured." in text
    )
    assert "The test accuracy of none of them is known." in text


def test_children_of_unreadable_backbones_are_drawn(zoo: Zoo, measurements: Measurements, tmp_path: Path) -> None:
    rows = measurements.members.copy()
    gone = rows["member"].iloc[0]
    columns = [name for name in rows if name.startswith("parent_") and name not in ("parent_member", "parent_sha256")]
    rows.loc[rows["parent_member"] == gone, columns] = None
    kept = (rows["member"] != gone).to_numpy()
    square = np.ix_(kept, kept)
    matrices = {name: getattr(measurements, name)[square] for name in ("distances", "agreement", "kappa")}
    lacking = replace(measurements, members=rows[kept].reset_index(drop=True), **matrices)
    found = write(zoo, lacking, tmp_path, day=DAY)
    assert all(one.svg for one in found.figures), [one.why for one in found.figures]
    agreement = next(one for one in found.figures if one.stem == "agreement")
    assert f"n = {len(lacking.finetuned())} fine-tuned members" in agreement.title


def test_zoos_without_children_are_refused(zoo: Zoo, measurements: Measurements, tmp_path: Path) -> None:
    parents = (measurements.members["stage"] == "pretraining").to_numpy()
    square = np.ix_(parents, parents)
    matrices = {name: getattr(measurements, name)[square] for name in ("distances", "agreement", "kappa")}
    only = replace(measurements, members=measurements.members[parents].reset_index(drop=True), **matrices)
    with pytest.raises(InputError, match="no finished fine-tuned member"):
        write(zoo, only, tmp_path, day=DAY)


def test_places_that_cannot_be_written_to(zoo: Zoo, measurements: Measurements, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="within the zoo"):
        write(zoo, measurements, zoo.path / "report", day=DAY)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write(zoo, measurements, tmp_path / "file", day=DAY)

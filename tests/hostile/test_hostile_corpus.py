"""Every file of the corpus is refused by its reader with the error it should have, and found where it is in a zoo."""

import json
from pathlib import Path
from typing import Any

import pytest
from guarded import Outcome, Server
from hostile_zoo import PLACES, plant
from make_corpus import CORPUS, files

JSON = ("config", "manifest", "result", "zoo")
Case = dict[str, str]
MANIFEST: list[Case] = json.loads((CORPUS / "manifest.json").read_text())
CASES = [(case, kind) for case in MANIFEST for kind in (JSON if case["kind"] == "json" else [case["kind"]])]
LISTED = [(case, kind) for case, kind in CASES if kind == "config" or case["kind"] == kind in ("manifest", "result")]
SECONDS, MEMORY = 1.0, 64 << 20


def each(cases: list[tuple[Case, str]]) -> Any:
    return pytest.mark.parametrize(("case", "kind"), cases, ids=[f"{case['file']}-{kind}" for case, kind in cases])


class Results:
    """The outcomes of a job on all cases that it is for, done the first time that one is asked for."""

    def __init__(self, guarded: Server, root: Path) -> None:
        self.guarded, self.root = guarded, root
        self.done: dict[str, dict[str, Outcome]] = {}

    def of(self, job: str, case: Case, kind: str) -> Outcome:
        if job not in self.done:
            cases = LISTED if job == "listing" else CASES
            found = self.guarded.run_all(job, [(kind, CORPUS / case["file"], self.root) for case, kind in cases])
            self.done[job] = {f"{c['file']}-{k}": outcome for (c, k), outcome in zip(cases, found, strict=True)}
        return self.done[job][f"{case['file']}-{kind}"]


@pytest.fixture(scope="module")
def results(guarded: Server, copy: Path) -> Results:
    return Results(guarded, copy)


def assert_printable(text: str) -> None:
    assert all(character.isprintable() for character in text.replace("\n", " ")), text


def assert_sentences(text: str) -> None:
    assert text.endswith((".", "?")), text
    assert_printable(text)


def test_the_corpus_is_as_it_was_made() -> None:
    made, manifest = files()
    there = {path.relative_to(CORPUS).as_posix() for path in CORPUS.rglob("*.*")} - {"manifest.json"}
    assert there == set(made)
    assert manifest == MANIFEST
    assert len(there) >= 60
    different = [path for path, data in made.items() if (CORPUS / path).read_bytes() != data]
    # Other libraries write these; what is in git stays.
    assert not [path for path in different if not path.startswith(("weights/model-", "weights/gzip", "weights/npy"))]


@each(CASES)
def test_its_reader_refuses_it(case: Case, kind: str, results: Results) -> None:
    outcome = results.of("read", case, kind)
    assert (outcome.error, outcome.module) == (case["error"], "vitzoo.errors"), outcome
    assert case["says"] in outcome.text
    assert_sentences(outcome.text)
    assert outcome.seconds < SECONDS
    assert outcome.added < MEMORY


@each(CASES)
def test_verify_finds_it_in_a_zoo(case: Case, kind: str, results: Results) -> None:
    outcome = results.of("verify", case, kind)
    assert outcome.error == "", outcome
    found = outcome.value
    if kind == "zoo":
        assert (found["code"], found["out"]) == (4, "")
        assert "zoo.json" in found["errors"]
    else:
        report = json.loads(found["out"])
        paths = {Path(finding["path"]).relative_to(results.root) for finding in report["findings"]}
        assert (PLACES[kind] in paths) == (case["verify"] == "finds")
        assert found["code"] == (4 if paths else 0)
    assert_printable(found["out"] + found["errors"])
    assert outcome.seconds < SECONDS


@each(LISTED)
def test_the_catalogue_notes_it(case: Case, kind: str, results: Results) -> None:
    """What needs the file is an error; what does not goes on, and the catalogue notes what it leaves out."""
    outcome = results.of("listing", case, kind)
    assert outcome.error == "", outcome
    found = outcome.value
    assert found["shown"] or case["error"] == "InputError" or "recipe" in case["file"]  # who builds models will say
    assert bool(found["notes"]) == bool(found["shown"])
    assert found["rows"] == (4 if not found["notes"] else 3 if kind == "manifest" else 2)
    for text in (*found["notes"], found["shown"]):
        assert_sentences(text or ".")
    assert outcome.seconds < SECONDS


@pytest.mark.parametrize("kind", ["config", "manifest", "result", "zoo"])
def test_commands_say_it(kind: str, guarded: Server, root: Path) -> None:
    plant(root, kind, (CORPUS / "json/key-twice.json").read_bytes())
    shown, listed = (guarded.run("command", *words).value for words in (("show", root, "ft"), ("ls", root, "--json")))
    if kind != "manifest":  # of the last manifest nothing is shown
        assert shown["code"] == 4
        assert "a key occurs twice" in shown["errors"]
    assert listed["code"] == (4 if kind == "zoo" else 0)
    assert "a key occurs twice" in listed["errors"]
    assert_sentences(listed["errors"].rstrip("\n"))

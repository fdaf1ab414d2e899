"""The pure parts of fetching and its state on disk: numbers, names, addresses, patience, and a kill at any step."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitzoo.errors import InputError, IntegrityError
from vitzoo.sharing.fetching import addresses, download, epochs, ledger, names
from vitzoo.sharing.fetching.access import Access
from vitzoo.sharing.fetching.choice import choose
from vitzoo.sharing.fetching.part import Part
from vitzoo.sharing.fetching.patience import Patience, Stopped, persist
from vitzoo.sharing.fetching.source import Body, Digest, Entry, Mark, SourceError
from vitzoo.sharing.fetching.survey import Member
from vitzoo.sharing.fetching.target import Target

NUMBERS = st.sets(st.integers(0, 10_000), max_size=60)


@given(NUMBERS, st.integers(1, 70))
def test_the_last_are_the_greatest_numbers_in_any_order(numbers: set[int], count: int):
    shuffled = sorted(numbers, key=str)
    assert epochs.parse(f"last:{count}").of(shuffled) == sorted(numbers)[-count:]
    assert epochs.parse("all").of(shuffled) == sorted(numbers)
    assert epochs.parse("last").of(shuffled) == sorted(numbers)[-1:]


@given(NUMBERS, st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 2_000)), min_size=1, max_size=4))
def test_ranges_choose_what_they_cover_and_know_what_is_lacking(numbers: set[int], ranges: list[tuple[int, int]]):
    parsed = epochs.parse(",".join(f"{first}-{first + length}" for first, length in ranges))
    covered = {n for first, length in ranges for n in range(first, first + length + 1)}
    assert parsed.of(numbers) == sorted(numbers & covered)
    assert parsed.lacking(numbers) == bool(covered - numbers)


@pytest.mark.parametrize("text", ["", "last:0", "last:", "last:-1", "x", "3-1", "1,,2", "-1", "1.5", "١", "1" * 11])
def test_what_names_no_epochs_is_refused(text: str):
    with pytest.raises(InputError):
        epochs.parse(text)


@given(st.text(max_size=20))
def test_a_name_that_is_followed_stays_in_its_folder(name: str):
    try:
        names.check_followed(name, "here")
    except IntegrityError:
        return
    assert (Path("/a/b") / name).parent == Path("/a/b") and name not in ("..", ".")


@given(st.text("abcAB.: /\\_-0", max_size=6))
def test_a_name_that_is_stored_is_followed(name: str):
    if names.is_storable(name):
        assert names.check_followed(name, "here") == name
        names.check_storable([f"{name}/{name}"])


@given(st.text(min_size=1, max_size=30).filter(lambda text: "/" not in text))
def test_an_address_of_a_name_leads_to_that_name(name: str):
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(addresses.below("https://host/zoo/", name))
    except UnicodeEncodeError:  # a lone surrogate, which no listing has
        return
    assert (parts.netloc, unquote(parts.path), parts.query) == ("host", f"/zoo/{name}", "")


@pytest.mark.parametrize(
    ("current", "location", "insecure", "followed"),
    [
        ("https://a/x", "/y", False, "https://a/y"),
        ("https://a/x", "https://b/y", False, "https://b/y"),
        ("http://127.0.0.1:1/x", "http://localhost:2/y", False, "http://localhost:2/y"),
        ("http://127.0.0.1:1/x", "https://a/y", False, "https://a/y"),
        ("http://a/x", "http://b/y", True, "http://b/y"),
        ("https://a/x", "http://a/y", False, None),
        ("https://a/x", "http://127.0.0.1/y", False, None),
        ("https://a/x", "https://127.0.0.1/y", False, None),
        ("https://a/x", "https://localhost/y", False, None),
        ("https://a/x", "https://[::1]/y", False, None),
        ("http://a/x", "http://127.0.0.1/y", True, None),
        ("https://a/x", "file:///etc/passwd", True, None),
        ("https://a/x", "https://[bad/", False, None),
        ("https://a/x", "https://b:99999999/", False, None),
    ],
)
def test_which_redirects_are_followed(current: str, location: str, insecure: bool, followed: str | None):
    if followed:
        assert addresses.redirected(current, location, insecure) == followed
    else:
        with pytest.raises(IntegrityError):
            addresses.redirected(current, location, insecure)


def test_pauses_grow_and_are_limited():
    patience = Patience(pause=1, longest=10)
    passing = SourceError("x", passing=True)
    assert all(0.5 * 2**n <= patience.before(n + 1, passing) <= 2**n for n in range(3))
    assert patience.before(50, passing) <= 10 and patience.before(1, SourceError("x", wait=99)) == 10


def test_attempts_that_bring_bytes_do_not_count():
    brought = iter(range(1, 100))
    count = [0]

    def attempt() -> str:
        count[0] = next(brought)
        if count[0] < 30:
            raise SourceError("cut", passing=True)
        return "whole"

    quick = Patience(tries=2, pause=0)
    assert persist(attempt, quick, Event(), lambda: count[0] << 20) == "whole"
    with pytest.raises(SourceError):
        persist(lambda: (_ for _ in ()).throw(SourceError("cut", passing=True)), quick, Event())
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        persist(lambda: (_ for _ in ()).throw(SourceError("cut", passing=True)), quick, stop)


def member(path: str, numbers: list[int]) -> Member:
    return Member(path, None, None, {number: [f"{path}/checkpoint_{number}"] for number in numbers})


def test_all_who_may_be_the_parent_come_and_orphans_are_told():
    members = [
        member("pretraining/a", [8, 9, 10]),
        member("pretraining/b", [3]),
        member("other/a", [1]),
        member("finetuning/b/child", [0, 1]),
        member("finetuning/gone/orphan", [0, 1]),
    ]
    configs = {one.path: {} for one in members}
    configs["finetuning/b/child"] = {
        "pretraining::model": "a",
        "pretraining::model::path": "/x/checkpoint_0009/checkpoints",
    }
    chosen, notes = choose(members, configs, "stage = 'finetuning'", epochs.parse("last"))
    assert {one.member.path: one.numbers for one in chosen} == {
        "other/a": (1,),
        "pretraining/a": (9,),
        "pretraining/b": (3,),
        "finetuning/b/child": (1,),
        "finetuning/gone/orphan": (1,),
    }
    assert [one.asked for one in chosen] == [False, False, False, True, True]
    assert any("orphan" in note for note in notes) and any("more than one parent" in note for note in notes)


def test_a_number_under_two_paddings_is_fetched_twice_for_the_importer_to_judge():
    twice = Member("a", None, None, {1: ["a/checkpoint_1", "a/checkpoint_000001"], 2: ["a/checkpoint_2"]})
    chosen, _ = choose([twice], {"a": {}}, None, epochs.parse("last:2"))
    assert chosen[0].numbers == (1, 2)


# One file: cut anywhere, killed anywhere

DATA = bytes(range(256)) * 8


class Cutting:
    """A source of one file that breaks off after so many bytes of each transfer, until it has no cuts left."""

    address = "memory"

    def __init__(self, cuts: list[int]) -> None:
        self.cuts, self.sent = cuts, 0

    def entries(self, folder: str) -> list[Entry]:
        return [ENTRY]

    @contextmanager
    def read(self, entry: Entry, mark: Mark | None) -> Iterator[Body]:
        start = mark.start if mark else 0
        yield Body(start, self._chunks(start), '"1"', None, entry.digest)

    def _chunks(self, start: int) -> Iterator[bytes]:
        end = min(len(DATA), start + self.cuts.pop(0)) if self.cuts else len(DATA)
        for at in range(start, end, 100):
            chunk = DATA[at : min(at + 100, end)]
            self.sent += len(chunk)
            yield chunk
        if end < len(DATA):
            raise SourceError("cut", passing=True)


ENTRY = Entry("folder/file", len(DATA), "v1", Digest("sha256", __import__("hashlib").sha256(DATA).hexdigest()))
PATIENT = Patience(tries=100, pause=0)


def fetch_one(source: Cutting, root: Path) -> None:
    root.mkdir(exist_ok=True)
    access = Access(source, patience=PATIENT)
    with ledger.writing(root, source.address) as records:
        target = Target(root)
        standing = target.standing([ENTRY], records)
        assert standing.blocked == []
        target.tidy(standing)
        for entry in standing.missing:
            download.download(access, entry, target, records, lambda amount: None)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, len(DATA)), max_size=6))
def test_whatever_cuts_a_transfer_each_byte_is_sent_once(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]):
    root = tmp_path_factory.mktemp("cut")
    source = Cutting(list(cuts))
    fetch_one(source, root)
    assert (root / ENTRY.path).read_bytes() == DATA
    assert source.sent == len(DATA)
    assert sorted(path.name for path in root.rglob("*") if path.is_file()) == ["fetch.json", "file"]


class Killed(BaseException):
    """The process ends here."""


def test_a_kill_before_any_step_on_disk_leaves_what_a_repeat_completes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every call that changes the disk is, in turn, the last thing that the process did."""
    import os

    steps = [(os, name) for name in ("write", "fsync", "open", "mkdir", "ftruncate")]
    steps += [(Path, name) for name in ("rename", "unlink", "mkdir", "open")]
    left = [0]

    def counted(original):
        def step(*arguments, **named):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return original(*arguments, **named)

        return step

    for place, name in steps:
        monkeypatch.setattr(place, name, counted(getattr(place, name)))
    for kill_at in itertools.count(1):
        root = tmp_path / str(kill_at)
        left[0] = kill_at
        killed = False
        try:
            fetch_one(Cutting([700, 600]), root)
        except Killed:
            killed = True
        left[0] = 0
        source = Cutting([])
        fetch_one(source, root)
        assert (root / ENTRY.path).read_bytes() == DATA
        assert not list(root.rglob("*.part*"))
        assert ledger.read(root, "memory").records[ENTRY.path].checked == "sha256"
        if not killed:
            break
    assert kill_at > 40


def test_a_torn_line_of_the_ledger_is_forgotten_and_the_next_is_whole(tmp_path: Path):
    with ledger.writing(tmp_path, "here") as records:
        records.add(ledger.Record("a", 1, None, "0" * 64, "size"))
    file = tmp_path / ledger.NAME
    file.write_bytes(file.read_bytes() + b'{"path": "b", "si')
    with ledger.writing(tmp_path, "here") as records:
        assert list(records.records) == ["a"]
        records.add(ledger.Record("c", 1, "x", "1" * 64, "md5"))
    assert list(ledger.read(tmp_path, "here").records) == ["a", "c"]
    assert all(json.loads(line) for line in file.read_text().splitlines())


def test_a_part_of_another_version_is_not_continued(tmp_path: Path):
    part = Part(tmp_path / "file")
    part.begin(ENTRY, Body(0, iter(()), '"1"'))
    part.path.write_bytes(DATA[:10])
    assert part.mark(ENTRY) == Mark(10, '"1"')
    assert part.mark(Entry(ENTRY.path, ENTRY.size, "v2")) is None
    assert part.mark(Entry(ENTRY.path, 5, "v1")) is None
    part.path.with_name("file.part.json").write_text('{"size": 20')
    assert part.mark(ENTRY) is None

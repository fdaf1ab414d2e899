"""Servers that lie, stall and never end: each is refused by a typed error, soon, and nothing leaves the directory."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fetch_tree
import pytest
from bad_server import Answer, Handler, Site, site

from vitzoo.errors import DataError, InputError, IntegrityError, VitzooError
from vitzoo.sharing.fetching.patience import Patience
from vitzoo.sharing.fetching.planning import Query
from vitzoo.sharing.fetching.run import Outcome, fetch
from vitzoo.sharing.fetching.source import SourceError

CONFIG, WEIGHTS = "pretraining/one/config.json", "pretraining/one/checkpoint_000003/checkpoints"
HURRY = Patience(tries=3, pause=0.01, longest=0.2, connect=2, silence=0.6, small=0.6, slow=(0.3, 1000))


@pytest.fixture
def server() -> Iterator[Site]:
    tree = fetch_tree.Tree(Path("/nowhere"))
    files = {
        CONFIG: json.dumps(fetch_tree.pretraining(1, 8)).encode(),
        "pretraining/one/result.json": b"{}\n",
        WEIGHTS: tree.noise(300_000),
        "pretraining/one/checkpoint_000003/optimizer": b"state",
    }
    with site(files) as server:
        yield server


def take(server: Site, to: Path, query: Query | None = None) -> Outcome:
    began = time.monotonic()
    try:
        return fetch(to, query, server.address, parallel=2, patience=HURRY)
    finally:
        assert time.monotonic() - began < 8


def listing(*names: str, kind: str = "directory", **more: object) -> Answer:
    entries = [{"name": name, "type": kind, "mtime": "x", **more} for name in names]
    return lambda handler: handler.whole(json.dumps(entries).encode(), "application/json")


def text(data: bytes) -> Answer:
    return lambda handler: handler.whole(data, "application/json")


ESCAPES = ["..", ".", "", "../x", "a/b", "/etc", "..\\x", "C:\\x", "a\0b", "a\nb", "\x1b[31m", "\u202egpj"]


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("kind", ["directory", "file"])
def test_a_name_that_leaves_its_folder_ends_it_all(server: Site, tmp_path: Path, name: str, kind: str):
    server.answers["pretraining/"] = listing("one", name, kind=kind, size=3)
    with pytest.raises(IntegrityError, match="could lead elsewhere"):
        take(server, tmp_path / "to")
    assert not (tmp_path / "to").exists()


UNSTORABLE = ["CON", "nul.txt", "com1", "a:b", "a.", "a ", "ä", "a*", 'a"', "x" * 201, "a|b", "µ"]


@pytest.mark.parametrize("name", UNSTORABLE)
def test_a_name_that_no_file_may_have_everywhere_is_refused(server: Site, tmp_path: Path, name: str):
    server.files = {path.replace("/one/", f"/{name}/"): data for path, data in server.files.items()}
    with pytest.raises(IntegrityError, match="cannot be stored on every system"):
        take(server, tmp_path / "to")


def test_names_that_are_one_where_case_is_ignored_are_refused(server: Site, tmp_path: Path):
    server.files |= {path.replace("/one/", "/ONE/"): data for path, data in server.files.items()}
    with pytest.raises(IntegrityError, match="where case is ignored"):
        take(server, tmp_path / "to")
    assert take(server, tmp_path / "to", Query("member = 'one'")).problems == []


BAD_LISTINGS = {
    "HTML": b"<html><body>Index of /</body></html>",
    "no JSON": b"hello",
    "nothing": b"",
    "not UTF-8": b'[{"name": "\xff", "type": "file"}]',
    "no list": b'{"name": "one"}',
    "no objects": b"[1, 2]",
    "no name": b'[{"type": "directory"}]',
    "a number as a name": b'[{"name": 7, "type": "directory"}]',
    "no size": b'[{"name": "config.json", "type": "file"}]',
    "a negative size": b'[{"name": "config.json", "type": "file", "size": -1}]',
    "half a byte": b'[{"name": "config.json", "type": "file", "size": 0.5}]',
    "a size of NaN": b'[{"name": "config.json", "type": "file", "size": NaN}]',
    "true as a size": b'[{"name": "config.json", "type": "file", "size": true}]',
    "a name twice": b'[{"name": "a", "type": "directory"}, {"name": "a", "type": "directory"}]',
    "a key twice": b'[{"name": "a", "name": "b", "type": "directory"}]',
    "deep": b"[" * 100_000,
    "a million names": b"[" + b'{"name":"a","type":"directory"},' * 400_000 + b"{}]",
    "a long number": b'[{"name": "a", "type": "file", "size": ' + b"9" * 5_000 + b"}]",
}


@pytest.mark.parametrize("data", BAD_LISTINGS.values(), ids=BAD_LISTINGS)
def test_a_bad_listing_is_refused(server: Site, tmp_path: Path, data: bytes):
    server.answers["pretraining/one/"] = text(data)
    with pytest.raises(DataError, match="127"):
        take(server, tmp_path / "to")


def endless(handler: Handler) -> None:
    handler.head(200, None)
    for _ in range(2_000):
        handler.body(b'{"name":"a"},' * 5_000)


def drip(handler: Handler) -> None:
    handler.head(200, None)
    for _ in range(50):
        handler.body(b" ")
        time.sleep(0.1)


def test_a_listing_without_end_is_cut(server: Site, tmp_path: Path):
    server.answers["pretraining/"] = endless
    with pytest.raises(DataError, match="more than 16,000,000 bytes"):
        take(server, tmp_path / "to")
    assert server.sent < 40_000_000


def test_a_listing_that_drips_is_given_up(server: Site, tmp_path: Path):
    server.answers["pretraining/"] = drip
    with pytest.raises(SourceError, match=r"takes more than 0\.6 s"):
        take(server, tmp_path / "to")


def test_a_server_that_says_nothing_is_given_up(server: Site, tmp_path: Path):
    server.answers["pretraining/"] = lambda handler: time.sleep(3)
    with pytest.raises(SourceError, match="timed out"):
        take(server, tmp_path / "to")


def test_folders_without_bottom_are_refused(server: Site, tmp_path: Path):
    class Same(dict):
        def get(self, path, default=None):
            return listing("more") if path.endswith("/") or not path else default

    server.answers = Same()
    with pytest.raises(DataError, match="deeper than 6 folders"):
        take(server, tmp_path / "to")
    assert len(server.log) < 10


def test_too_many_folders_are_refused(server: Site, tmp_path: Path):
    class Wide(dict):
        def get(self, path, default=None):
            return listing(*(f"n{i}" for i in range(150))) if path.endswith("/") or not path else default

    server.answers = Wide()
    with pytest.raises(DataError, match="more folders than a zoo"):
        take(server, tmp_path / "to")
    assert len(server.log) < 200


TARGETS = [
    "file:///etc/passwd",
    "ftp://127.0.0.1/x",
    "http://example.invalid/",
    "http://169.254.169.254/latest/",
    "//user@host:99999/",
    "javascript:1",
    "https:///",
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("path", ["pretraining/", WEIGHTS])
def test_redirects_elsewhere_are_not_followed(server: Site, tmp_path: Path, target: str, path: str):
    server.answers[path] = lambda handler: handler.status(302, {"Location": target})
    if path.endswith("/"):
        with pytest.raises(IntegrityError, match="is not followed"):
            take(server, tmp_path / "to")
    else:
        (problem,) = take(server, tmp_path / "to").problems
        assert "is not followed" in problem.reason and not (tmp_path / "to" / path).exists()


def test_redirects_on_the_same_machine_are_followed_but_not_for_ever(server: Site, tmp_path: Path):
    server.files["elsewhere"] = server.files[WEIGHTS]
    server.answers[WEIGHTS] = lambda handler: handler.status(302, {"Location": "/elsewhere"})
    server.answers["elsewhere/"] = lambda handler: handler.status(404)
    assert take(server, tmp_path / "to", Query("member = 'one'")).problems == []
    assert (tmp_path / "to" / WEIGHTS).read_bytes() == server.files[WEIGHTS]
    server.answers["pretraining/"] = lambda handler: handler.status(302, {"Location": "/pretraining/"})
    with pytest.raises(SourceError, match="more than 5 times"):
        take(server, tmp_path / "to")


def test_plain_http_to_another_machine_needs_to_be_allowed(tmp_path: Path):
    for address in ("http://example.invalid/zoo", "http://10.0.0.1/", "http://localhost.example.invalid/"):
        with pytest.raises(InputError, match="--insecure"):
            fetch(tmp_path / "to", source=address)
    for address in (
        "https://user:secret@example.invalid/",
        "ftp://x/",
        "nothing",
        "https://x/?q=1",
        "zip://a::https://b",
    ):
        with pytest.raises(InputError) as caught:
            fetch(tmp_path / "to", source=address)
        assert "secret" not in str(caught.value)


def longer(handler: Handler) -> None:
    handler.head(200, None)
    for _ in range(1_000):
        handler.body(b"x" * 100_000)


def wrong_length(difference: int) -> Answer:
    def answer(handler: Handler) -> None:
        data = handler.site.files[WEIGHTS]
        handler.head(200, len(data) + difference)
        handler.body(data)
        handler.close_connection = True

    return answer


def login_page(handler: Handler) -> None:
    handler.whole(b"<html>Please log in</html>", "text/html")


def compressed(handler: Handler) -> None:
    handler.head(200, len(handler.site.files[WEIGHTS]), {"Content-Encoding": "gzip"})
    handler.body(handler.site.files[WEIGHTS])


def partial_unasked(handler: Handler) -> None:
    handler.head(206, 10, {"Content-Range": "bytes 0-9/300000"})
    handler.body(b"x" * 10)


def no_http(handler: Handler) -> None:
    handler.wfile.write(b"\0" * 100)
    handler.close_connection = True


def dripping(handler: Handler) -> None:
    handler.head(200, len(handler.site.files[WEIGHTS]))
    for byte in handler.site.files[WEIGHTS][:40]:
        handler.body(bytes([byte]))
        time.sleep(0.1)


BAD_FILES = {
    "endless": (longer, "sends more bytes than the listing says"),
    "length too large": (wrong_length(1), "where the listing leaves 300000"),
    "length too small": (wrong_length(-1), "where the listing leaves 300000"),
    "a page to log in": (login_page, "text/html"),
    "compressed": (compressed, "sent compressed"),
    "a part unasked": (partial_unasked, "although all of it was asked for"),
    "dripping": (dripping, "fewer than 1,000 bytes"),
    "gone": (lambda handler: handler.status(410), "is gone"),
    "forbidden": (lambda handler: handler.status(403), "refuses access"),
    "teapot": (lambda handler: handler.status(418), "cannot be had (status 418)"),
    "broken": (lambda handler: handler.status(500), "cannot be had (status 500)"),
    "no HTTP": (no_http, "cannot be reached"),
}


@pytest.mark.parametrize(("answer", "reason"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_told_and_the_others_come(server: Site, tmp_path: Path, answer: Answer, reason: str):
    server.answers[WEIGHTS] = answer
    outcome = take(server, tmp_path / "to")
    (problem,) = outcome.problems
    assert problem.path == WEIGHTS and reason in problem.reason
    assert outcome.fetched == 2 and not (tmp_path / "to" / WEIGHTS).exists()
    assert server.sent < 20_000_000
    del server.answers[WEIGHTS]  # and the next fetch repairs it
    assert take(server, tmp_path / "to").problems == []
    assert (tmp_path / "to" / WEIGHTS).read_bytes() == server.files[WEIGHTS]


def cut_at(length: int) -> Answer:
    """Close the connection after some bytes of the answer, once."""

    def answer(handler: Handler) -> None:
        data = handler.site.files[WEIGHTS]
        del handler.site.answers[WEIGHTS]
        handler.head(200, len(data))
        handler.body(data[:length])
        handler.close_connection = True

    return answer


@pytest.mark.parametrize("length", [0, 1, 65_536, 299_999])
def test_a_cut_at_any_byte_is_continued_there(server: Site, tmp_path: Path, length: int):
    server.answers[WEIGHTS] = cut_at(length)
    outcome = take(server, tmp_path / "to")
    assert outcome.problems == [] and (tmp_path / "to" / WEIGHTS).read_bytes() == server.files[WEIGHTS]
    ranges = [asked for path, asked in server.log if path == WEIGHTS]
    assert ranges == [None, f"bytes={length}-" if length else None]


def after_a_cut(then: Answer) -> Answer:
    def answer(handler: Handler) -> None:
        cut_at(100_000)(handler)
        handler.site.answers[WEIGHTS] = then

    return answer


def ignores_range(handler: Handler) -> None:
    handler.whole(handler.site.files[WEIGHTS])


def wrong_range(handler: Handler) -> None:
    if not handler.headers.get("Range"):
        ignores_range(handler)
        return
    handler.head(206, 200_000, {"Content-Range": "bytes 0-199999/300000"})
    handler.body(b"y" * 200_000)


def other_version(handler: Handler) -> None:
    if not handler.headers.get("Range"):
        ignores_range(handler)
        return
    handler.send_response(206)
    for name, value in {
        "Content-Length": "200000",
        "Content-Range": "bytes 100000-299999/300000",
        "ETag": '"z"',
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.body(b"y" * 200_000)


def refuses_range(handler: Handler) -> None:
    if handler.headers.get("Range"):
        handler.status(416)
    else:
        ignores_range(handler)


@pytest.mark.parametrize("then", [ignores_range, wrong_range, other_version, refuses_range])
def test_a_server_that_cannot_continue_sends_it_anew(server: Site, tmp_path: Path, then: Answer):
    server.answers[WEIGHTS] = after_a_cut(then)
    outcome = take(server, tmp_path / "to")
    assert outcome.problems == [] and (tmp_path / "to" / WEIGHTS).read_bytes() == server.files[WEIGHTS]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_after_the_time_the_server_asks_for(server: Site, tmp_path: Path, status: int):
    times: list[float] = []

    def busy(handler: Handler) -> None:
        times.append(time.monotonic())
        if len(times) > 2:
            handler.file(WEIGHTS)
        else:
            handler.status(status, {"Retry-After": "0" if len(times) == 1 else "7"})

    server.answers[WEIGHTS] = busy
    assert take(server, tmp_path / "to").problems == []
    assert times[1] - times[0] < 0.15 and 0.2 <= times[2] - times[1] < 1  # 7 s are cut to the longest pause


def test_nobody_waits_for_a_server_that_has_gone(server: Site, tmp_path: Path):
    """12,000 files would be given up one by one otherwise."""
    for number in range(40):
        server.files[f"pretraining/one/checkpoint_{number:06d}/checkpoints"] = b"x"
    for path in server.files:
        if path.endswith("/checkpoints"):
            server.answers[path] = lambda handler: handler.status(503)
    with pytest.raises(SourceError, match="files in a row"):
        take(server, tmp_path / "to", Query(epochs="all"))
    assert len({path for path, _ in server.log if path.endswith("/checkpoints")}) < 20


BAD_CONFIGS = {
    "no JSON": b"hello",
    "no object": b"[1]",
    "deep": b"[" * 100_000,
    "a key twice": b'{"seed": 1, "seed": 2}',
    "not UTF-8": b'{"a": "\xff"}',
    "too large": b'{"a": "' + b"x" * 1_000_001 + b'"}',
    "a long number": b'{"seed": ' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("data", BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_a_member_with_a_bad_config_is_left_out_and_told(server: Site, tmp_path: Path, data: bytes):
    server.files["pretraining/two/config.json"] = data
    server.files["pretraining/two/checkpoint_1/checkpoints"] = b"x"
    outcome = take(server, tmp_path / "to")
    assert [problem.path for problem in outcome.problems] == ["pretraining/two"] and outcome.fetched == 3
    assert not (tmp_path / "to/pretraining/two").exists()


ODD_CONFIGS = {
    "NaN": b'{"optim::lr": NaN, "seed": 5}',
    "infinity": b'{"optim::lr": 1e999, "seed": 5}',
    "other kinds": b'{"seed": "5", "optim::optimizer": 3, "model::head::hidden_dim": {"a": 1}, "optim::lr": [1]}',
    "very large": b'{"seed": 99999999999999999999999999999999999, "training::batchsize": 1e300}',
    "empty": b"{}",
}


@pytest.mark.parametrize("data", ODD_CONFIGS.values(), ids=ODD_CONFIGS)
def test_odd_values_in_a_config_do_not_disturb_the_query(server: Site, tmp_path: Path, data: bytes):
    server.files["pretraining/two/config.json"] = data
    server.files["pretraining/two/checkpoint_1/checkpoints"] = b"x"
    outcome = take(server, tmp_path / "to", Query("seed = 1 AND lr = 0.001"))
    assert outcome.problems == [] and not (tmp_path / "to/pretraining/two").exists()


@pytest.mark.parametrize("place", ["pretraining", "pretraining/one", "pretraining/one/checkpoint_000003"])
def test_nothing_is_written_through_a_symbolic_link(server: Site, tmp_path: Path, place: str):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = tmp_path / "to" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(InputError, match="symbolic link"):
        take(server, tmp_path / "to")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["checkpoints", "checkpoints.part", "checkpoints.part.json"])
def test_links_in_place_of_files_are_not_followed(server: Site, tmp_path: Path, name: str):
    secret = tmp_path / "secret"
    secret.write_text("mine")
    link = (tmp_path / "to" / WEIGHTS).with_name(name)
    link.parent.mkdir(parents=True)
    link.symlink_to(secret)
    outcome = take(server, tmp_path / "to")
    assert [problem.path for problem in outcome.problems] == ([WEIGHTS] if name == "checkpoints" else [])
    assert secret.read_text() == "mine"


def test_a_ledger_that_is_a_link_or_damaged_is_refused(server: Site, tmp_path: Path):
    take(server, tmp_path / "to")
    ledger = tmp_path / "to/fetch.json"
    lines = ledger.read_text().splitlines()
    bad = ["{}", "[]", "nonsense", '{"path": "x", "size": "3", "stamp": null, "sha256": "", "checked": "size"}']
    for line in bad:
        ledger.write_text("\n".join([lines[0], line, *lines[1:]]) + "\n")
        with pytest.raises(IntegrityError, match=r"no record|not valid JSON"):
            take(server, tmp_path / "to")
    ledger.rename(tmp_path / "elsewhere")
    ledger.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VitzooError):
        take(server, tmp_path / "to")


def test_leaving_early_ends_the_threads(server: Site, tmp_path: Path, monkeypatch):
    """An interrupt in the main thread does not wait for a server that drips."""
    server.answers[WEIGHTS] = dripping
    before = threading.active_count()

    def interrupt(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    from vitzoo.sharing.fetching.access import Access
    from vitzoo.sharing.fetching.opening import open_source
    from vitzoo.sharing.fetching.planning import plan

    access = Access(open_source(server.address, patience=HURRY), 4, HURRY)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        plan(access, Query(), interrupt)
    assert time.monotonic() - began < 3 and access.stop.is_set()
    assert threading.active_count() <= before + 4

"""The page in a real browser: nothing on the console, nothing requested, no box wider than the window."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from vitzoo.report import Report

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on PATH")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-extensions"),
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # what the browser would ask for on its own goes nowhere
)


def visit(page: Path, place: Path) -> tuple[list[str], list[str], str]:
    """Open a page; return the lines of the console, the addresses requested from the network, and the document."""
    log = place / "net.json"
    command = [CHROMIUM, *QUIET, f"--user-data-dir={place / 'profile'}", "--enable-logging=stderr", "--v=0"]
    command += [f"--log-net-log={log}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return console, sorted(_requested(log)), done.stdout


def _requested(log: Path) -> set[str]:
    """Addresses that the page asked the network for; what the browser asks for on its own has no origin."""
    events = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    begun = [event for event in events if event.get("initiator", "not an origin") != "not an origin"]
    return {event["url"] for event in begun if re.match(r"(https?|wss?|ftp)://", event["url"])}


def test_what_would_be_noticed(tmp_path: Path) -> None:
    """The check itself: a page that asks for a picture and complains is caught."""
    page = tmp_path / "page.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('here')</script>")
    console, requested, _ = visit(page, tmp_path)
    assert any("here" in line for line in console)
    assert requested == ["http://127.0.0.1:9/x.png"]


def test_nothing_on_the_console_and_nothing_requested(report: Report, tmp_path: Path) -> None:
    console, requested, document = visit(report.index, tmp_path)
    assert console == []
    assert requested == []
    assert document.count("<figure") == sum(bool(one.svg) for one in report.figures)
    assert "<script" not in document and "<img" not in document


@pytest.mark.parametrize("width", [375, 1400])
def test_no_box_is_wider_than_the_window(friendly: Path, tmp_path: Path, width: int) -> None:
    """Asked of the browser from a page around it, as the report itself runs nothing."""
    outer = tmp_path / "outer.html"
    probe = "const d = f.contentDocument.documentElement; document.title = d.scrollWidth + ' ' + d.clientWidth"
    text = friendly.read_text("utf-8")
    escaped = text.replace("&", "&amp;").replace('"', "&quot;")
    outer.write_text(
        f'<meta charset="utf-8"><iframe id="f" style="width:{width}px;height:900px" srcdoc="{escaped}"></iframe>'
        f"<script>f.onload = () => {{ {probe} }}</script>",
        "utf-8",
    )
    _, _, document = visit(outer, tmp_path)
    match = re.search(r"<title>(\d+) (\d+)</title>", document)
    assert match is not None
    assert match[1] == match[2]

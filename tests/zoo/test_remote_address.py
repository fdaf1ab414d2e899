"""Addresses: what is one, what is refused, and that nothing is imported for a zoo on this machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from vitzoo.errors import InputError
from vitzoo.zoo import Zoo
from vitzoo.zoo.remote.address import Address, check_directory, directory, is_address, is_safe, on_hub, parse


@pytest.mark.parametrize(
    ("text", "scheme", "rest"),
    [
        ("s3://bucket/a/b/", "s3", "bucket/a/b"),
        ("S3://bucket", "s3", "bucket"),
        ("https://example.org:8443/zoo", "https", "example.org:8443/zoo"),
        ("http://localhost:8000", "http", "localhost:8000"),
        ("http://[::1]/zoo", "http", "[::1]/zoo"),
        ("hf://datasets/user/zoo@refs%2Fpr%2F1", "hf", "datasets/user/zoo@refs%2Fpr%2F1"),
        ("file:///data/zoo", "file", "/data/zoo"),
    ],
)
def test_addresses_are_parsed(text: str, scheme: str, rest: str) -> None:
    assert is_address(text)
    assert parse(text) == Address(scheme, rest)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://host/zoo",
        "gs://bucket/zoo",
        "s3:///zoo",
        "https:///zoo",
        "https://host:port/zoo",
        "https://user:secret@host/zoo",
        "https://host/zoo?token=1",
        "https://host/zoo#part",
        "https://host/../zoo",
        "https://host/zoo/./x",
        "https://host/a b",
        "https://host/a\nb",
        "http://example.org/zoo",
        "http://10.0.0.1/zoo",
        "http://127.0.0.1.example.org/zoo",
        "hf://user/zoo",
        "hf://datasets/zoo",
        "hf://datasets/user/zoo@",
        "file://server/zoo",
        "s3:/bucket/zoo",
    ],
)
def test_what_is_no_place_of_a_zoo_is_refused(text: str) -> None:
    with pytest.raises(InputError) as error:
        Zoo.open(text)
    assert "secret" not in str(error.value).removeprefix(repr(text))


def test_a_path_made_of_an_address_is_refused_with_advice() -> None:
    with pytest.raises(InputError, match="as text, not as a Path"):
        Zoo.open(Path("s3://bucket/zoo"))


@pytest.mark.parametrize("place", ["s3://bucket/zoo", Path("https://host/zoo")])
def test_nothing_is_written_to_an_address(place: str | Path) -> None:
    with pytest.raises(InputError, match="Give a directory"):
        check_directory(place)
    with pytest.raises(InputError, match="Give a directory"):
        Zoo.create(place, name="a", licence="b", blueprint="", execution={})
    assert not Path("s3:").exists() and not Path("https:").exists()


@pytest.mark.parametrize("place", ["zoos/nano", "/data/zoo", "C:\\zoos", "c:/zoos", "a:b", "", "."])
def test_directories_are_none(place: str) -> None:
    assert not is_address(place)
    assert check_directory(place) == Path(place)


def test_a_file_address_is_the_directory(zoo: Zoo) -> None:
    opened = Zoo.open(zoo.path.as_uri())
    assert opened.path == zoo.path and opened.count() == zoo.count()
    assert directory(parse("file://localhost/data/my%20zoo")) == Path("/data/my zoo")


def test_places_on_the_hub() -> None:
    found = on_hub(parse("hf://datasets/user/zoo@refs%2Fpr%2F1/sub/folder"))
    assert (found.repository, found.revision, found.folder) == ("user/zoo", "refs/pr/1", "sub/folder")


def test_only_what_cannot_be_changed_on_the_way_is_safe() -> None:
    assert is_safe("https://example.org/a") and is_safe("http://localhost/a")
    assert not is_safe("http://example.org/a") and not is_safe("file:///a") and not is_safe("ftp://127.0.0.1/a")


def test_a_zoo_on_this_machine_needs_no_network_code(zoo: Zoo) -> None:
    code = (
        "import sys, vitzoo; zoo = vitzoo.open(sys.argv[1]); zoo.members()[0].checkpoint().tensors()\n"
        "found = {'fsspec', 'aiohttp', 's3fs', 'huggingface_hub', 'asyncio', 'ssl'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code, str(zoo.path)], check=True)


@pytest.mark.parametrize(
    ("address", "package", "extra"),
    [
        ("https://127.0.0.1:9/zoo", "aiohttp", "remote"),
        ("s3://bucket/zoo", "s3fs", "remote"),
        ("hf://datasets/user/zoo", "huggingface_hub", "remote,hub"),
    ],
)
def test_packages_that_are_not_installed_are_named(
    address: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"needs a package .*{package}.*: pip install 'vitzoo\[{extra}\]'"):
        Zoo.open(address)

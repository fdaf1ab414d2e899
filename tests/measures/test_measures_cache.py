"""Cached results of a zoo that may come from strangers: nothing is written outside it, nothing odd is believed."""

import os
from pathlib import Path

import numpy as np
import pytest

from vitzoo.errors import IntegrityError
from vitzoo.measures.cache import ABOUT, Cache
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import MEASURES

KEY = "ab" * 32


@pytest.fixture
def empty(tmp_path: Path) -> Zoo:
    return Zoo.create(tmp_path / "zoo", name="empty", licence="CC0-1.0", blueprint="", execution={})


def test_what_was_put_is_there(empty: Zoo) -> None:
    cache = Cache(empty, "kind", 1, {"a": 1})
    assert cache.get(KEY, {"x": (2,)}) is None
    cache.put(KEY, {"x": np.arange(2.0), "y": np.ones((3, 4), np.float16)})
    found = cache.get(KEY, {"y": (None, 4)})
    assert found is not None and list(found) == ["y"] and found["y"].dtype == np.float16
    assert Cache(empty, "kind", 2, {"a": 1}).get(KEY, {}) is None
    assert Cache(empty, "kind", 1, {"a": 2}).get(KEY, {}) is None


@pytest.mark.parametrize("shapes", [{"x": (3,)}, {"x": (2, 1)}, {"x": ()}, {"z": (None,)}])
def test_other_shapes_and_names_are_not_there(empty: Zoo, shapes: dict[str, tuple[int | None, ...]]) -> None:
    cache = Cache(empty, "kind", 1)
    cache.put(KEY, {"x": np.arange(2.0)})
    assert cache.get(KEY, shapes) is None


@pytest.mark.parametrize("link", ["", "kind-v1", "kind-v1/settings", "kind-v1/settings/ab"])
def test_links_lead_nowhere(empty: Zoo, tmp_path: Path, link: str) -> None:
    cache = Cache(empty, "kind", 1)
    outside = tmp_path / "outside"
    outside.mkdir()
    place = empty.path / MEASURES / link.replace("settings", cache.path.name)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside)
    cache.put(KEY, {"x": np.arange(2.0)})
    assert list(outside.rglob("*")) == []


@pytest.mark.parametrize("key", ["../../../x", "A" * 64, ""])
def test_keys_are_digests(empty: Zoo, key: str) -> None:
    cache = Cache(empty, "kind", 1)
    with pytest.raises(IntegrityError, match="is no digest"):
        cache.put(key, {})
    with pytest.raises(IntegrityError, match="is no digest"):
        cache.get(key, {})


def test_known_settings(empty: Zoo) -> None:
    for number, which in enumerate("ab"):
        cache = Cache(empty, "kind", 1, {"which": which, "n": 1})
        cache.put(KEY, {})
        os.utime(cache.path / ABOUT, ns=(number, number))
    Cache(empty, "kind", 1, {"which": "c", "n": 2}).put(KEY, {})
    assert Cache.known(empty, "kind", 1, {"which": "", "n": 1}, "which") == ["a", "b"]
    odd = {"list": "[]", "number": '{"which": 1, "n": 1}', "bad": "{", "deep": '{"which": [{}], "n": 1}'}
    for name, text in odd.items():
        (empty.path / MEASURES / "kind-v1" / name).mkdir()
        (empty.path / MEASURES / "kind-v1" / name / ABOUT).write_text(text)
    (empty.path / MEASURES / "kind-v1" / "pipe").mkdir()
    os.mkfifo(empty.path / MEASURES / "kind-v1" / "pipe" / ABOUT)  # reading it would never end
    assert Cache.known(empty, "kind", 1, {"which": "", "n": 1}, "which") == ["a", "b"]

"""Equal weights are stored once; whatever speaks against that, they are written."""

from pathlib import Path

import pytest
from little_zoo import make_config, make_tensors

from vitzoo.zoo import Member, Zoo, verify
from vitzoo.zoo.layout import WEIGHTS


@pytest.fixture
def pair(empty: Zoo) -> tuple[Member, Member]:
    members = (empty.add_member(make_config("one")), empty.add_member(make_config("two")))
    members[0].commit(0, make_tensors(1), {}, None)
    return members


def inode(member: Member) -> int:
    return (member.checkpoint(0).path / WEIGHTS).stat().st_ino


def test_equal_weights_are_one_file_and_the_zoo_is_sound(pair: tuple[Member, Member]) -> None:
    one, two = pair
    sha256 = two.commit(0, make_tensors(1), {}, None, one.checkpoint(0))
    assert inode(one) == inode(two)
    assert sha256 == one.checkpoint(0).sha256 == two.checkpoint(0).sha256
    assert not verify(one.zoo, deep=True).findings


def test_other_weights_are_written(pair: tuple[Member, Member]) -> None:
    one, two = pair
    two.commit(0, make_tensors(2), {}, None, one.checkpoint(0))
    assert inode(one) != inode(two)


def test_a_file_system_without_links_is_written_to(
    pair: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    one, two = pair
    assert two.commit(0, make_tensors(1), {}, None, one.checkpoint(0)) == one.checkpoint(0).sha256
    assert inode(one) != inode(two)


def test_a_twin_that_was_cut_off_is_not_copied(pair: tuple[Member, Member]) -> None:
    one, two = pair
    file = one.checkpoint(0).path / WEIGHTS
    file.write_bytes(file.read_bytes()[:-1])
    two.commit(0, make_tensors(1), {}, None, one.checkpoint(0))
    two.checkpoint(0).check()

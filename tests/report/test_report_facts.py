"""What a zoo says of its training: the pace that was recorded, or that none was."""

from pathlib import Path

from little_zoo import grow, make_config, make_tensors, make_zoo

from vitzoo.report.facts import facts
from vitzoo.report.sections.about import _pace


def test_paces_are_those_of_the_checkpoints(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path / "zoo")
    member = zoo.add_member(make_config("pre1"))
    for epoch, pace in enumerate((None, 100.0, 300.0, 200.0)):
        member.commit(epoch, make_tensors(epoch), {"images_per_second": pace}, None)
    found = facts(zoo)
    assert sorted(found.paces) == [100, 200, 300]
    assert _pace(found.paces) == "200 images a second and stack (median; 100 to 300; 3 epochs)"


def test_a_zoo_without_paces_says_so(tmp_path: Path) -> None:
    zoo = make_zoo(tmp_path / "zoo")
    grow(zoo.add_member(make_config("pre1")))
    assert facts(zoo).paces == ()
    assert _pace(()) == "not recorded"

"""A report on a zoo of a stranger who means harm: markup in every name, and a blueprint that is none."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_measurements import make_measurements
from hostile_names import BREAKOUT, DAY, SCRIPT
from little_zoo import grow, make_config

from vitzoo.measures.measurements import Measurements
from vitzoo.measures.selection import LeftOut
from vitzoo.report import Report, write
from vitzoo.zoo import Zoo

GRID = (("linear",), ("adamw", "sgd"), (1e-3, 1e-4), (42,))


@pytest.fixture(scope="session")
def measurements() -> Measurements:
    return make_measurements(GRID)


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    """Two backbones with children of the factors that are on disk; Measurements are those of the fake zoo."""
    path = tmp_path_factory.mktemp("zoos") / "little"
    made = Zoo.create(
        path, name=SCRIPT, licence=BREAKOUT, blueprint=f"{SCRIPT}: [\n{BREAKOUT}\n", execution={"device": SCRIPT}
    )
    for seed in (1, 2):
        parent = made.add_member(make_config(f"pre{seed}", seed=seed, optimizer="adamw"))
        edge = grow(parent)
        for optimizer in ("sgd", BREAKOUT):
            name = f"ft-{'sgd' if optimizer == 'sgd' else 'other'}-{seed}"
            grow(made.add_member(make_config(name, parent, optimizer=optimizer)), origin=edge)
    return made


@pytest.fixture(scope="session")
def hostile(measurements: Measurements) -> Measurements:
    rows = measurements.members.replace({"optimizer": {"sgd": BREAKOUT}, "head": {"linear": SCRIPT}})
    rows = rows.replace({"dataset": {"digits": SCRIPT}, "parent_dataset": {"fractals": BREAKOUT}})
    left_out = (LeftOut(SCRIPT, BREAKOUT, damaged=True), LeftOut("a\x00b\x1b[31m\u202e", "it is not finished"))
    return replace(measurements, members=rows, zoo=SCRIPT, left_out=left_out, notes=(BREAKOUT,))


@pytest.fixture(scope="session")
def report(zoo: Zoo, hostile: Measurements, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return write(zoo, hostile, tmp_path_factory.mktemp("out") / "report", day=DAY, refine="test_acc > 0.65")


@pytest.fixture(scope="session")
def friendly(measurements: Measurements, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page on a zoo with a blueprint and plain names, of which nothing is left out."""
    from vitzoo.blueprint import preset

    base = tmp_path_factory.mktemp("friendly")
    made = Zoo.create(
        base / "zoo",
        name="nano",
        licence="CC-BY-4.0",
        blueprint=preset("nano"),
        execution={"device": "cpu", "stack": None},
    )
    grow(made.add_member(make_config("pre1", seed=1)))
    plain = replace(measurements, zoo="nano", left_out=())
    yield write(made, plain, base / "out", day=DAY, png=True).index

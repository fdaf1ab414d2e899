"""What a zoo says of itself, before anything is measured: its head, its counts and its blueprint."""

from dataclasses import dataclass, field
from typing import Any

from vitzoo.blueprint.factors import Factor
from vitzoo.errors import BlueprintError, IntegrityError
from vitzoo.zoo import Zoo


@dataclass(frozen=True)
class Facts:
    """A zoo's head and counts.

    statuses: members by status. factors, constants: the paper's Tables 4 and 5 of the blueprint; both are empty if the
    blueprint cannot be read, which ``unreadable`` then explains. notes: what the catalogue could not read. paces:
    images per second of the stacks that members were trained in, one for each checkpoint that recorded it.
    """

    name: str
    licence: str
    statuses: dict[str, int]
    checkpoints: int
    bytes: int
    execution: dict[str, Any]
    blueprint: str
    factors: list[Factor] = field(default_factory=list)
    constants: list[Factor] = field(default_factory=list)
    unreadable: str = ""
    notes: tuple[str, ...] = ()
    paces: tuple[float, ...] = ()


def facts(zoo: Zoo) -> Facts:
    """Read what a zoo says of itself."""
    catalogue = zoo.catalogue()
    summary = catalogue.summary
    counts = (summary["members"], summary["checkpoints"], summary["bytes"])
    head = (zoo.name, zoo.licence, *counts, zoo.execution, zoo.blueprint_text)
    told = {"notes": tuple(catalogue.notes), "paces": _paces(zoo)}
    try:
        return Facts(*head, *_factors(zoo), **told)
    except (BlueprintError, IntegrityError) as error:
        return Facts(*head, unreadable=str(error), **told)


def _paces(zoo: Zoo) -> tuple[float, ...]:
    if "images_per_second" not in zoo.catalogue().columns:
        return ()
    values = (row["images_per_second"] for row in zoo.rows(columns=["images_per_second"]))
    return tuple(float(value) for value in values if isinstance(value, int | float))


def _factors(zoo: Zoo) -> tuple[list[Factor], list[Factor]]:
    from vitzoo.blueprint import expand, factors, parse, reader
    from vitzoo.zoo.layout import BLUEPRINT

    recipes = expand(parse(reader.read(zoo.blueprint_text, BLUEPRINT)))
    return factors.generating(*recipes), factors.constants(*recipes)

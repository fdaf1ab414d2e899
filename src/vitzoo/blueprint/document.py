"""The blueprint as a document: its head, and one validated set of fields per cell of each stage's grid."""

from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from vitzoo.blueprint import reader
from vitzoo.blueprint.fields import validate
from vitzoo.blueprint.grid import Cell, cells, replace
from vitzoo.blueprint.schema import Fields, Finetuning, Pretraining
from vitzoo.errors import BlueprintError

Stage = TypeVar("Stage", Pretraining, Finetuning)

STAGES = {"pretraining": Pretraining, "finetuning": Finetuning}


def _known_version(version: int) -> int:
    # Not a literal, which would take true and 1.0 for 1.
    if version != 1:
        raise PydanticCustomError("version", "1")
    return version


class Document(Fields):
    """The top level of a blueprint; a stage is plain data here, because its grid may supply required fields."""

    vitzoo: Annotated[int, AfterValidator(_known_version)] = Field(description="version of this schema")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="letters, digits, '.', '_' and '-'")
    licence: str = Field("CC-BY-4.0", min_length=1, max_length=100, description="SPDX name of the zoo's licence")
    pretraining: Any = Field(description="the first stage")
    finetuning: Any = Field(None, description="the second stage; without it the zoo holds backbones only")


@dataclass(frozen=True, eq=False)
class Blueprint:
    """A valid blueprint: what was asked for, with every cell of its grids resolved into fields.

    ``data`` is the document as plain data, overrides applied. ``pretraining`` and ``finetuning`` hold one entry per
    cell, in the order of the grid; ``settings`` the values each cell was made from.
    """

    name: str
    licence: str
    data: dict[str, Any] = field(repr=False)
    pretraining: tuple[Pretraining, ...] = field(repr=False)
    finetuning: tuple[Finetuning, ...] = field(repr=False)
    settings: dict[str, list[Cell]] = field(repr=False)

    def to_yaml(self) -> str:
        """Write the document as YAML; reading it back gives the same recipes."""
        return reader.write(self.data)


def parse(data: Any) -> Blueprint:
    """Validate plain data into a blueprint; raise ``BlueprintError`` at the first problem.

    A field outside the grid is the value of those cells that do not set it.
    """
    if data is None:
        raise BlueprintError("The blueprint is empty; expected at least vitzoo, name and pretraining.")
    head = validate(Document, data, "")
    pretraining, first = _stage(Pretraining, data["pretraining"], "pretraining")
    finetuning, second = _stage(Finetuning, data.get("finetuning"), "finetuning")
    settings = {"pretraining": first, "finetuning": second}
    return Blueprint(head.name, head.licence, data, tuple(pretraining), tuple(finetuning), settings)


def _stage(model: type[Stage], data: Any, stage: str) -> tuple[list[Stage], list[Cell]]:
    if data is None and stage == "finetuning":
        return [], []
    if not isinstance(data, dict):
        raise BlueprintError(f"{stage} is {reader.shorten(data)}; expected a mapping of fields.")
    base = {name: value for name, value in data.items() if name != "grid"}
    grid = cells(data.get("grid"), model, stage)
    return [validate(model, replace(base, cell), stage) for cell in grid], grid

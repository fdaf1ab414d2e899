"""Overrides from the command line: ``finetuning.hyperparameters.epochs=2`` sets one field of the document.

The value is read as YAML. A path may lie inside an optional object that is missing, which is then made. Below
``grid`` the path names an operation, a position in a list of nodes, or a field path as one key, so that
``pretraining.grid.product.hyperparameters.lr=[1e-3]`` narrows a list. A field that every cell of the grid sets
cannot be overridden, since the grid would win; where only some cells set it, the override holds for the others.
"""

from typing import Any

from vitzoo.blueprint import reader
from vitzoo.blueprint.document import STAGES, Document
from vitzoo.blueprint.fields import check_path, known_paths
from vitzoo.blueprint.grid import cells, replace
from vitzoo.errors import BlueprintError

OPERATIONS = ("product", "zip", "chain")


def apply(data: Any, overrides: list[str]) -> Any:
    """Return the document with the overrides applied in order; ``data`` itself is unchanged.

    >>> apply({"name": "a"}, ["name=b", "pretraining.hyperparameters.lr=1e-3"])
    {'name': 'b', 'pretraining': {'hyperparameters': {'lr': 0.001}}}
    """
    if overrides and not isinstance(data, dict):
        raise BlueprintError(f"The blueprint is {reader.shorten(data)}; expected a mapping of fields.")
    paths: list[str] = []
    for override in overrides:
        path, value = _split(override)
        stage, _, rest = path.partition(".")
        if rest == "grid" or rest.startswith("grid."):
            _known_stage(stage, path)
            data = _assign_grid(data, path, ["grid", *rest.split(".")[1:]], value)
        else:
            _check(path)
            paths.append(path)
            data = replace(data, {path: value})
    for path in paths:
        _refuse_if_varied(data, path)
    return data


def _split(override: str) -> tuple[str, Any]:
    path, equals, text = override.partition("=")
    if not equals or not path.strip() or not text.strip():
        raise BlueprintError(f"--set {reader.shorten(override)} is not of the form path=value.")
    return path.strip(), reader.read(text, f"The value of --set {path.strip()[:80]}")


def _known_stage(stage: str, path: str) -> None:
    if stage not in STAGES:
        raise BlueprintError(f"--set names {reader.shorten(path)}, but only pretraining and finetuning have a grid.")


def _check(path: str) -> None:
    stage, _, rest = path.partition(".")
    if stage in STAGES and rest:
        check_path(STAGES[stage], rest, "--set", f"{stage}.")
    elif path not in Document.model_fields:
        everything = [f"{name}.{field}" for name, model in STAGES.items() for field in known_paths(model)]
        leaf = path.rsplit(".", 1)[-1]
        same = [name for name in everything if name.endswith(f".{leaf}")]
        if same:
            raise BlueprintError(f"--set names {reader.shorten(path)}, which is not a field. Did you mean {same[0]!r}?")
        check_path(Document, path, "--set")


def _assign_grid(data: Any, path: str, parts: list[str], value: Any) -> Any:
    stage = path.partition(".")[0]
    fields = data.get(stage)
    fields = fields if isinstance(fields, dict) else {}
    return data | {stage: fields | {"grid": _assign(fields.get("grid"), parts[1:], value, path)}}


def _assign(node: Any, parts: list[str], value: Any, path: str) -> Any:
    """Set a value inside a grid: below an operation's mapping all that is left of the path is one key."""
    if not parts:
        return value
    head, *rest = parts
    if isinstance(node, list):
        if not head.isdecimal() or len(head) > 6 or int(head) >= len(node):
            raise BlueprintError(f"--set {path}: {reader.shorten(head)} is no position in a list of {len(node)} nodes.")
        i = int(head)
        return [*node[:i], _assign(node[i], rest, value, path), *node[i + 1 :]]
    fields = node if isinstance(node, dict) else {}
    if head not in OPERATIONS:
        return fields | {".".join(parts): value}
    return fields | {head: _assign(fields.get(head), rest, value, path)}


def _refuse_if_varied(data: Any, path: str) -> None:
    """Raise if every cell of the final grid sets the field, or what holds it."""
    stage, _, rest = path.partition(".")
    fields = data.get(stage) if stage in STAGES and rest else None
    grid = fields.get("grid") if isinstance(fields, dict) else None
    if grid is None:
        return
    every = cells(grid, STAGES[stage], stage)
    keys = {key for cell in every for key in cell if f"{rest}.".startswith(f"{key}.")}
    if keys and all(keys & cell.keys() for cell in every):
        raise BlueprintError(
            f"--set {path} would have no effect, because {stage}.grid sets this field in every cell. "
            f"Narrow the grid instead: --set '{_find(grid, keys, f'{stage}.grid')}=[VALUE]'."
        )


def _find(node: Any, keys: set[str], where: str) -> str | None:
    """Return the override path of the first list of values for one of ``keys`` in a valid grid."""
    [(operation, operands)] = node.items()
    where = f"{where}.{operation}"
    if isinstance(operands, dict):
        return next((f"{where}.{key}" for key in operands if key in keys), None)
    found = (_find(child, keys, f"{where}.{i}") for i, child in enumerate(operands))
    return next((path for path in found if path), None)

"""The grid: a small algebra of ``product``, ``zip`` and ``chain`` over named fields.

    node := {product: X} | {zip: X} | {chain: [node, ...]}
    X    := {path: [value, ...], ...} | [node, ...]

``product`` pairs everything with everything (the last field varies fastest), ``zip`` goes in step, ``chain``
concatenates. A path names a field relative to its stage; its value replaces the field, also a whole sub-object.
Reference: the sweeps of google-research/big_vision (``hyper.product``, ``zipit``, ``chainit``).
"""

import itertools
import math
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from vitzoo.blueprint.fields import check_path
from vitzoo.blueprint.reader import shorten
from vitzoo.errors import BlueprintError, nearest

Cell = dict[str, Any]  # field path → value

MAX_CELLS = 100_000


def cells(node: Any, model: type[BaseModel], stage: str) -> list[Cell]:
    """List the cells of a stage's grid in order; no grid (``None``) is one cell that sets nothing.

    >>> from vitzoo.blueprint.schema import Pretraining
    >>> grid = {"zip": {"hyperparameters.seed": [1, 2], "hyperparameters.batch_size": [256, 512]}}
    >>> cells(grid, Pretraining, "pretraining")[1]
    {'hyperparameters.seed': 2, 'hyperparameters.batch_size': 512}
    """
    if node is None:
        return [{}]
    where = f"{stage}.grid"
    for path in sorted(_paths(node, where)):
        check_path(model, path, where, f"{stage}.")
    if (size := _size(node, where)) > MAX_CELLS:
        raise BlueprintError(f"{where} has {size:,} cells; expected at most {MAX_CELLS:,}.")
    return _expand(node)


def replace(base: Any, cell: Cell) -> Any:
    """Return ``base`` with the cell's fields set; ``base`` is unchanged, and missing objects are made.

    >>> replace({"a": {"b": 1}}, {"a.c": 2})
    {'a': {'b': 1, 'c': 2}}
    """
    for path, value in cell.items():
        base = _assign(base, path.split("."), value)
    return base


def _assign(base: Any, parts: list[str], value: Any) -> Any:
    if not parts:
        return value
    fields = base if isinstance(base, dict) else {}
    inner = fields.get(parts[0])
    if parts[0] == "dataset" and isinstance(inner, str):  # the shorthand of a data set
        inner = {"source": inner}
    return fields | {parts[0]: _assign(inner, parts[1:], value)}


def _parts(node: Any, where: str) -> tuple[str, dict[str, list[Any]] | list[Any]]:
    """Take a node apart into its operation and its operands, or say what is wrong with it."""
    operations = ("product", "zip", "chain")
    if not isinstance(node, dict) or len(node) != 1:
        raise BlueprintError(f"{where} is {shorten(node)}; expected exactly one of product, zip and chain.")
    [(operation, operands)] = node.items()
    if operation not in operations:
        guess = nearest(operation, operations)
        raise BlueprintError(f"{where}.{shorten(operation)} is no operation; expected product, zip or chain.{guess}")
    if operands in ({}, []):
        raise BlueprintError(f"{where}.{operation} is empty; a grid needs at least one value.")
    if isinstance(operands, list) or (operation != "chain" and isinstance(operands, dict)):
        return operation, operands
    expected = "a list of nodes" if operation == "chain" else "a mapping of field paths to lists, or a list of nodes"
    raise BlueprintError(f"{where}.{operation} is {shorten(operands)}; expected {expected}.")


def _paths(node: Any, where: str) -> set[str]:
    """Collect the paths a node sets; all but the branches of a chain must set different fields."""
    operation, operands = _parts(node, where)
    where = f"{where}.{operation}"
    if isinstance(operands, dict):
        for path, values in operands.items():
            _check_values(values, f"{where}.{path}")
        return _disjoint(([path] for path in operands), where)
    children = [_paths(child, f"{where}[{i}]") for i, child in enumerate(operands)]
    return set().union(*children) if operation == "chain" else _disjoint(children, where)


def _check_values(values: Any, where: str) -> None:
    if not isinstance(values, list):
        raise BlueprintError(f"{where} is {shorten(values)}; expected a list of values.")
    if not values:
        raise BlueprintError(f"{where} is empty; a grid needs at least one value.")


def _disjoint(children: Iterable[Iterable[str]], where: str) -> set[str]:
    """Unite the children's paths; two children must not set one field, nor a field and its part."""
    owner: dict[str, int] = {}
    inner: dict[str, int] = {}  # every proper prefix of a path
    for i, child in enumerate(children):
        for path in child:
            prefixes = list(itertools.accumulate(path.split("."), "{}.{}".format))
            if any(owner.get(prefix, i) != i for prefix in prefixes) or inner.get(path, i) != i:
                raise BlueprintError(f"{where} sets {path} twice; the parts of a {where.rsplit('.')[-1]} must differ.")
            owner[path] = i
            inner |= dict.fromkeys(prefixes[:-1], i)
    return set(owner)


def _size(node: Any, where: str) -> int:
    """Count the cells of a node without listing them."""
    operation, operands = _parts(node, where)
    where = f"{where}.{operation}"
    if isinstance(operands, dict):
        sizes = {path: len(values) for path, values in operands.items()}
    else:
        sizes = {f"part {i}": _size(child, f"{where}[{i}]") for i, child in enumerate(operands)}
    if operation == "product":
        return math.prod(sizes.values())
    if operation == "chain":
        return sum(sizes.values())
    if len(set(sizes.values())) > 1:
        lengths = ", ".join(f"{name}: {size}" for name, size in sizes.items())
        raise BlueprintError(f"{where} goes in step, so its lists must have one length, not {lengths}.")
    return next(iter(sizes.values()))


def _expand(node: dict[str, Any]) -> list[Cell]:
    [(operation, operands)] = node.items()
    if isinstance(operands, dict):
        columns = [[{path: value} for value in values] for path, values in operands.items()]
    else:
        columns = [_expand(child) for child in operands]
    if operation == "chain":
        return list(itertools.chain.from_iterable(columns))
    rows = itertools.product(*columns) if operation == "product" else zip(*columns, strict=True)
    return [{path: value for part in row for path, value in part.items()} for row in rows]

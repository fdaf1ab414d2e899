"""What the configs of members say, as a table that ``--where`` is asked of."""

import math
from collections.abc import Mapping
from typing import Any

from vitzoo.errors import InputError, VitzooError
from vitzoo.sharing import foreign_json
from vitzoo.sharing.fetching.access import Access, Tell, silent
from vitzoo.sharing.fetching.source import SourceError
from vitzoo.sharing.fetching.survey import Member, Problem
from vitzoo.sharing.official import declared
from vitzoo.sharing.official.kinship import stage_of
from vitzoo.zoo.rows import OF_PARENT
from vitzoo.zoo.strict_json import MAX_BYTES

Config = dict[str, Any]
Row = dict[str, Any]


def configs(access: Access, members: list[Member], tell: Tell = silent) -> tuple[dict[str, Config], list[Problem]]:
    """Read the configs of members by path; those without one have an empty one, those with a bad one are problems."""
    found: dict[str, Config] = {}
    problems = []
    for member, config, error in access.each(lambda member: _config(access, member), members):
        if isinstance(error, VitzooError) and not (isinstance(error, SourceError) and error.passing):
            problems.append(Problem(member.path, str(error)))
        elif config is None:
            raise error or AssertionError(member.path)
        else:
            found[member.path] = config
        tell("Reading configs", len(found) + len(problems), len(members))
    return found, sorted(problems)


def rows(members: list[Member], configs: Mapping[str, Config], parents: Mapping[str, Member]) -> list[Row]:
    """One row for each member, in their order: stage, names, factors, and its parent's (``parent_seed``, …)."""
    own = {member.path: _row(member, configs[member.path]) for member in members}
    table = []
    for member in members:
        parent = parents.get(member.path)
        above = own[parent.path] if parent else {}
        of_parent = {f"parent_{name}": above.get(name) for name in OF_PARENT}
        table.append({**own[member.path], "parent_member": parent.name if parent else None, **of_parent})
    return _typed(table)


def _config(access: Access, member: Member) -> Config:
    if member.config is None:
        return {}
    config = foreign_json.parse(access.small(member.config, MAX_BYTES), member.config.path)
    if not isinstance(config, dict):
        raise InputError(f"{member.config.path} does not hold a JSON object.")
    return config


def _row(member: Member, config: Config) -> Row:
    stage = stage_of(member.path, config)
    said = declared.row(config, stage) if config else {}
    return {"stage": stage, "member": member.name, "path": member.path, **said}


def _typed(table: list[Row]) -> list[Row]:
    """Give each column one kind of value: a column with texts among its numbers is one of texts."""
    names = dict.fromkeys(name for row in table for name in row)
    columns = {name: _column([row.get(name) for row in table]) for name in names}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _column(values: list[Any]) -> list[Any]:
    plain = [value if isinstance(value, str | bool | int | float) else None for value in values]
    kinds = {float if type(value) is int else type(value) for value in plain if value is not None}
    if len(kinds) > 1:
        return [None if value is None else str(value)[:200] for value in plain]
    return [None if isinstance(value, int | float) and not _storable(value) else value for value in plain]


def _storable(value: float) -> bool:
    """Say whether a table can hold a number."""
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**63

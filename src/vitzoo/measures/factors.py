"""Factors of members in their own types.

One member with a word where all others have a number makes the catalogue's column text, and a backbone whose config
no blueprint could have made may hold anything. What is analysed are the factors of recipes that are valid.
"""

from collections.abc import Sequence

from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures.inference import recipe_of
from vitzoo.measures.selection import Row, Selection
from vitzoo.zoo import Member, rows

#: Columns of a child that are factors of its parent.
OF_PARENT = {f"parent_{name}": name for name in rows.OF_PARENT}


def with_factors(chosen: Sequence[Row], selection: Selection) -> list[Row]:
    """Return rows with the factors of their members, whose recipes are valid, and of their parents.

    Those of a parent are ``None`` where it cannot be read or its recipe is not valid.
    """
    parents: dict[str, Row] = {}
    found = []
    for row in chosen:
        own = rows.factors(selection.member(row).recipe)
        name = row["parent_member"] or ""
        if name not in parents:
            parents[name] = _of_parent(selection.parent(row))
        found.append({**row, **{factor: own[factor] for factor in own if factor in row}, **parents[name]})
    return found


def _of_parent(parent: Member | None) -> Row:
    try:
        if parent is not None:
            recipe_of(parent)
        above = {} if parent is None else rows.factors(parent.recipe)
    except (InputError, IntegrityError):
        above = {}
    return {column: above.get(name) for column, name in OF_PARENT.items()}

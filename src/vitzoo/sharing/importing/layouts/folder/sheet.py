"""A table of models with the meanings of its columns, and what its rows say of one model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vitzoo.sharing.importing.layouts.folder.facts import LAST, Facts
from vitzoo.sharing.importing.layouts.folder.timm_config import heads_of
from vitzoo.sharing.importing.survey import Unplaced
from vitzoo.sharing.importing.tables import datasets, factors, shares
from vitzoo.sharing.importing.tables.columns import Meaning, is_accuracy, meaning
from vitzoo.sharing.importing.tables.table import Table
from vitzoo.sharing.importing.tables.values import number, shown

#: What a column of parents says of a model that has none.
_NO_PARENT = frozenset({"scratch", "random", "no", "false", "0"})


@dataclass
class Sheet:
    """A table, what its columns mean by their place, accuracies as shares, and columns that could not be used."""

    table: Table
    meanings: dict[int, Meaning] = field(default_factory=dict)
    shares: dict[int, list[float | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)

    def epoch(self, row: int) -> int | None:
        """Return the epoch that a row speaks of, ``None`` if it names none."""
        for column, of in self.meanings.items():
            if of.kind == "epoch":
                value = number(self.table.value(row, column))
                return int(value) if value is not None and 0 <= value < 10**9 and value == int(value) else LAST
        return LAST


def understand(table: Table) -> Sheet:
    """Find out what the columns of a table mean; of two with one meaning the first counts."""
    sheet = Sheet(table)
    seen: dict[Meaning, str] = {}
    for place, column in enumerate(table.columns):
        of = meaning(column)
        if of is None:
            continue
        if of in seen and of.kind != "parent":
            reason = f"means the same as the column {shown(seen[of])}, which counts; this one is kept as declared"
            sheet.unplaced.append(Unplaced(f"{table.name}, column {shown(column)}", reason))
        elif of.kind == "metric" and is_accuracy(of.name):
            if _read_shares(sheet, place, column, of):
                seen[of] = column
        else:
            sheet.meanings[place] = of
            seen.setdefault(of, column)
    return sheet


def _read_shares(sheet: Sheet, place: int, column: str, of: Meaning) -> bool:
    table = sheet.table
    found = shares.of_column([table.value(row, place) for row in range(len(table))])
    if found is None:
        reason = "holds what is neither shares nor percentages; it is kept as declared"
        sheet.unplaced.append(Unplaced(f"{table.name}, column {shown(column)}", reason))
        return False
    if found.percent:
        sheet.notes.append(f"{shown(column)} of {table.name} is in per cent; it is stored as a share")
    sheet.meanings[place], sheet.shares[place] = of, found.values
    return True


def apply(facts: Facts, sheet: Sheet, rows: Sequence[int]) -> None:
    """Add what rows say of one model: its only row, or one for each of several epochs."""
    odd: set[str] = set()
    said: dict[tuple[str, str], Any] = {}
    for row in rows:
        epoch = sheet.epoch(row)
        for column, of in sheet.meanings.items():
            value = sheet.table.value(row, column)
            if value is None:
                continue
            if of.kind == "metric":
                metric = sheet.shares[column][row] if column in sheet.shares else number(value)
                if metric is not None:
                    facts.metrics.setdefault(epoch, {})[of.name] = metric
            elif of.kind == "parent":
                _set_parent(facts, value)
            elif factor := _factor(of, value, facts):
                place, known = factor
                odd |= {place[1]} if said.setdefault(place, known) != known else set()
    for (group, name), value in said.items():
        if name not in odd:
            facts.set(group, name, value)
    if odd:
        facts.note(f"{', '.join(sorted(odd))} differs between its rows in {sheet.table.name} and is left out")
    _declare(facts, sheet, rows)


def _factor(of: Meaning, value: Any, facts: Facts) -> tuple[tuple[str, str], Any] | None:
    """Return a factor's place in a recipe and its value; what cannot be that factor is noted."""
    if of.kind == "dataset":
        source = datasets.source(value)
        return (("dataset", "source"), source) if source else None
    if of.kind == "architecture":
        heads = heads_of(value)
        return (("architecture", "heads"), heads) if heads and not facts.get("architecture", "heads") else None
    if of.kind == "heads":
        if type(value) is int and 1 <= value <= 64:
            return ("architecture", "heads"), value
        facts.note(f"heads is {shown(value)}, which is no number of attention heads")
        return None
    if of.kind != "factor":
        return None
    known, problem = factors.of(of.name, value)
    if problem:
        facts.note(f"{problem}; it is kept as declared")
    return None if known is None else (("hyperparameters", of.name), known)


def _set_parent(facts: Facts, value: Any) -> None:
    if isinstance(value, str) and value.strip().lower() not in _NO_PARENT:
        facts.descend(value)


def _declare(facts: Facts, sheet: Sheet, rows: Sequence[int]) -> None:
    said = [sheet.table.row(row) for row in rows]
    facts.declared["table"] = said[0] if len(said) == 1 else said
    for note in sheet.notes:
        facts.note(note)

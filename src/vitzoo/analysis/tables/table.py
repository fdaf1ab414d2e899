"""A table as data: what is in its cells, not how it looks. ``render`` writes it in five formats."""

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of ``n`` values: NaN and None of none, a mean without deviation of one.

    >>> Spread(78.02, 5.49, 166)
    Spread(mean=78.02, std=5.49, n=166)
    """

    mean: float
    std: float | None
    n: int


#: Text, a number, a spread, or None: does not apply, shown as a dash.
Cell: TypeAlias = str | int | float | Spread | None


@dataclass(frozen=True)
class Column:
    """What stands below a header: its name, unit ("%", "pp" for percentage points, "" for none) and precision.

    ``digits`` are those after the point of a float or spread; None shows three significant ones, for lengths that
    differ by orders of magnitude.
    """

    name: str
    unit: str = ""
    digits: int | None = 2

    @property
    def header(self) -> str:
        """Name and unit.

        >>> Column("Accuracy", "%").header
        'Accuracy, %'
        """
        return f"{self.name}, {self.unit}" if self.unit else self.name


@dataclass(frozen=True)
class Row:
    """One label per label column, and one cell per column, in their order."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table: rows with one or more labels, columns of cells, and notes, each a whole sentence.

    ``number`` is the paper's ("2"), or a name for a table of our own ("findings"); ``variant`` tells two versions of
    a table apart ("refined"). ``left_out`` lists what is not counted in it, all of it, one sentence or clause each.
    Texts are plain: whoever renders them escapes them. ValueError if a row does not fit the columns.

    >>> Table("1", "Members", ("task",), (Column("loss"),), (Row(("supervised",), (0.5,)),)).stem
    'table1'
    """

    number: str
    title: str
    labels: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = field(default=(), repr=False)
    variant: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if (len(row.labels), len(row.cells)) != (len(self.labels), len(self.columns)):
                raise ValueError(
                    f"A row of table {self.number} has {len(row.labels)} labels and {len(row.cells)} cells "
                    f"for {len(self.labels)} label columns and {len(self.columns)} columns: {row.labels}."
                )

    @property
    def stem(self) -> str:
        """Name of a file for this table, without suffix: "table2-refined" of the paper's, "findings" of our own."""
        name = f"table{self.number}" if self.number.isdigit() else self.number
        return f"{name}-{self.variant}" if self.variant else name

    @property
    def heading(self) -> str:
        """Number, if it is the paper's, and title."""
        return f"Table {self.number}: {self.title}" if self.number.isdigit() else self.title

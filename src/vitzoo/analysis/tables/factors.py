"""Which generating factors make the rows of a table, and the members at each of their levels."""

from vitzoo.analysis.levels import FACTORS, TASKS, UNKNOWN, Factor, levels, text
from vitzoo.measures.measurements import DataFrame

SEED = "seed"
PAPER = {"2": ("parent_task", "head", "optimizer", "lr"), "6": ("parent_task", "optimizer", "head", "lr")}
#: Factors of fine-tuning that the paper keeps constant and another zoo may not.
OTHERS = (
    *("dataset", "train_limit", "image_size", "epochs", "head_hidden", "momentum", "schedule", "warmup_epochs", "clip"),
    *("label_smoothing", "mixup", "cutmix", "random_erasing", "stochastic_depth", "crop_kind", "flip", "rotation"),
    *("grey", "init"),
)
#: What tells backbones apart beside seed and batch size, which the paper prints for each.
OF_BACKBONE = (
    *("dataset", "train_limit", "dim", "depth", "heads", "patch_size", "image_size", "init", "optimizer", "lr"),
    *("weight_decay", "epochs", "schedule", "warmup_epochs", "label_smoothing", "mixup", "cutmix", "stochastic_depth"),
    "temperature",
)


def of_finetuning(rows: DataFrame, table: str) -> list[Factor]:
    """Return the factors with two levels or more among fine-tuned members, those of the paper's table first.

    A factor that follows from one before it, such as the momentum from the optimizer, is no factor of its own; what
    follows from the seed is, because Table 6 averages over seeds.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"lr": [1.0, 2.0, 1.0], "head": ["mlp", "mlp", "linear"], "momentum": [0.0, 0.0, 0.9]})
    >>> [factor.label for factor in of_finetuning(rows, "2")]
    ['head', 'learning rate']
    """
    first = PAPER[table]
    known = {factor.column: factor for factor in FACTORS if factor.column != "backbone"}
    found: list[Factor] = []
    for column in dict.fromkeys((*first, *known, *OTHERS)):
        if varies(rows, column) and (column in known or not _follows(rows, column, found)):
            found.append(known.get(column) or Factor(column, column.replace("_", " ")))
    return found


def of_backbones(rows: DataFrame) -> list[Factor]:
    """Return the factors beside seed and batch size with two levels or more among these backbones."""
    return [Factor(column, column.replace("_", " ")) for column in OF_BACKBONE if varies(rows, column)]


def varies(rows: DataFrame, column: str) -> bool:
    """Say whether a column is there and has two levels or more; no value is a level."""
    return column in rows and rows[column].nunique(dropna=False) > 1


def split(rows: DataFrame, column: str) -> list[tuple[str, DataFrame]]:
    """Return each level as text and its members: tasks and learning rates in the paper's order, others ascending.

    >>> import pandas as pd
    >>> [(level, len(part)) for level, part in split(pd.DataFrame({"lr": [1e-4, 3e-3, 1e-4, None]}), "lr")]
    [('3e-3', 1), ('1e-4', 2), ('–', 1)]
    """
    order = levels(rows, column)
    if column in ("task", "parent_task"):
        order.sort(key=lambda task: (TASKS.index(task) if task in TASKS else len(TASKS), task))
    if column == "lr":
        order.reverse()
    found = [(text(level), rows[(rows[column] == level).to_numpy(dtype=bool, na_value=False)]) for level in order]
    rest = rows[rows[column].isna()]
    return [*found, (UNKNOWN, rest)] if len(rest) else found


def cells(rows: DataFrame, factors: list[Factor]) -> list[tuple[tuple[str, ...], DataFrame]]:
    """Return the combinations of levels that occur, each with its members."""
    if not factors:
        return [((), rows)]
    first, *rest = factors
    parts = split(rows, first.column)
    return [((level, *others), chosen) for level, part in parts for others, chosen in cells(part, rest)]


def _follows(rows: DataFrame, column: str, found: list[Factor]) -> bool:
    before = [factor.column for factor in found if factor.column != SEED]
    return any((rows.groupby(other, dropna=False)[column].nunique(dropna=False) == 1).all() for other in before)

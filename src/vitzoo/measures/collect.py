"""From a zoo to its Measurements: select, predict, weigh, and join by member."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vitzoo.measures.agreement import between
from vitzoo.measures.factors import OF_PARENT, with_factors
from vitzoo.measures.inference import Places
from vitzoo.measures.measurements import MEASURED, STATISTICS, DataFrame, Measurements
from vitzoo.measures.predictions import Predictions, predict
from vitzoo.measures.selection import LAST, Epochs, LeftOut, Row, Selection, name_of, select
from vitzoo.measures.weights import Weights, weigh
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import GROWN

Tell = Callable[[str, int, int], None]  # (what is being done, done, total)
_NAMES = {"weight_mean": "mean", "weight_std": "std"}  # the catalogue has a mean and a std, those of the images


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def collect(
    zoo: Zoo,
    places: Places,
    *,
    where: str | None = None,
    scope: str = "all",
    device: str = "cpu",
    stages: Sequence[str] = GROWN,
    tell: Tell = silent,
) -> Measurements:
    """Measure the last checkpoints of a zoo's finished members; what is cached is not measured again.

    Merged members are left aside unless ``stages`` names theirs: tables, findings and figures are about grown ones.
    ``where`` is a boolean SQL expression over the catalogue's columns, ``scope`` names the tensors that statistics of
    weights are over. What cannot be measured is in ``left_out`` and ``notes`` of the result.

    >>> import vitzoo
    >>> from pathlib import Path
    >>> collect(vitzoo.open("zoos/nano"), Places(Path("data"), Path("cache")))  # doctest: +SKIP
    """
    selection = select(zoo, LAST, where, stages)
    predictions, weights = _both(selection, places, device, True, tell)
    rows, left_out = _sound(selection, predictions, weights)
    share, kappa = _agreement(rows, predictions)
    return Measurements(
        zoo.name,
        _frame(selection, rows, predictions, weights, scope),
        weights.matrix([row["sha256"] for row in rows]),
        share,
        kappa,
        scope,
        left_out,
        tuple(predictions.notes),
    )


def trajectories(
    zoo: Zoo,
    places: Places,
    epochs: Epochs,
    *,
    where: str | None = None,
    scope: str = "all",
    device: str = "cpu",
    tell: Tell = silent,
) -> tuple[DataFrame, tuple[LeftOut, ...], tuple[str, ...]]:
    """Measure checkpoints of several epochs: one row each, as ``Measurements.members``, without pairs of members.

    ``epochs`` is "all" or whole numbers. Returns the rows, what was left out and why, and notes.
    """
    selection = select(zoo, epochs, where)
    predictions, weights = _both(selection, places, device, False, tell)
    rows, left_out = _sound(selection, predictions, weights)
    return _frame(selection, rows, predictions, weights, scope), left_out, tuple(predictions.notes)


def _both(selection: Selection, places: Places, device: str, pairwise: bool, tell: Tell) -> tuple[Predictions, Weights]:
    def evaluating(done: int, total: int) -> None:
        tell("Evaluating checkpoints", done, total)

    def reading(done: int, total: int) -> None:
        tell("Reading weights", done, total)

    return predict(selection, places, "test", device, evaluating), weigh(selection, pairwise, tell=reading)


def _sound(selection: Selection, predictions: Predictions, weights: Weights) -> tuple[list[Row], tuple[LeftOut, ...]]:
    """Return the rows that could be measured, and one reason for each that could not, since damage is found twice."""
    everything = [*selection.left_out, *predictions.left_out, *weights.left_out]
    reasons = {out.what: out for out in reversed(everything)}
    rows = [row for row in selection.rows if name_of(row) not in reasons]
    return rows, tuple(reversed(reasons.values()))


def _frame(selection: Selection, rows: list[Row], predictions: Predictions, weights: Weights, scope: str) -> DataFrame:
    # All columns, also where there is no row or no backbone that could fill them.
    columns = dict.fromkeys((*selection.zoo.catalogue().columns, *OF_PARENT, *MEASURED))
    found = [row | _measured(row, predictions, weights, scope) for row in with_factors(rows, selection)]
    return pd.DataFrame(found, columns=[*columns])


def _measured(row: Row, predictions: Predictions, weights: Weights, scope: str) -> dict[str, Any]:
    """Return what a member's row is joined with."""
    found = predictions.found.get((row["member"], row["epoch"]))
    accuracy = _number(row, "test_acc") if found is None else found.accuracy
    statistics, nothing = weights.statistics(row["sha256"], scope), float("nan")
    return {
        "test_acc": accuracy,
        "test_loss": _number(row, "test_loss") if found is None else found.loss,
        "gap": _number(row, "train_acc_clean") - accuracy,
        "gap_online": _number(row, "train_acc") - accuracy,
        **{name: statistics[_NAMES.get(name, name)] for name in STATISTICS},
        # A backbone may be equal to a child of it that was not trained yet.
        "l2_distance": weights.to_parent.get(row["sha256"], nothing) if row["parent_sha256"] else nothing,
    }


def _agreement(rows: list[Row], predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    named, classes = [], []
    for row in rows:
        found = predictions.found.get((row["member"], row["epoch"]))
        named.append(None if found is None or found.classes is None else (found.images, found.classes))
        classes.append(row["head_outputs"] or 1)
    return between(named, classes)


def _number(row: Row, name: str) -> float:
    value = row.get(name)
    return float("nan") if value is None else float(value)

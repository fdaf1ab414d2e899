"""Two members beside each other: how far apart their weights are, how alike they behave, represent and connect."""

from dataclasses import dataclass
from typing import Any

from vitzoo.errors import DataError, InputError, IntegrityError
from vitzoo.measures.agreement import between
from vitzoo.measures.inference import Places
from vitzoo.measures.landscape.connectivity import Connection, connectivity
from vitzoo.measures.plain import finite
from vitzoo.measures.predictions import predict
from vitzoo.measures.representation.similarity import similarity
from vitzoo.measures.selection import Selection
from vitzoo.measures.tell import Tell, silent
from vitzoo.measures.weights import weigh
from vitzoo.zoo import Checkpoint, Zoo


@dataclass(frozen=True)
class Comparison:
    """Two checkpoints compared. What cannot be compared is None, and ``missing`` says why.

    distance: L2 between backbones. agreement, kappa: of their predictions on common test images. similarity: debiased
    linear CKA of the two at each layer, first to last. connection: loss and accuracy on the line between them.
    """

    a: str
    b: str
    distance: float | None
    agreement: float | None
    kappa: float | None
    similarity: dict[str, float]
    connection: Connection | None
    missing: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Return everything as plain JSON data."""
        found = vars(self) | {"missing": list(self.missing), "similarity": finite(self.similarity)}
        return found | {"connection": None if self.connection is None else self.connection.plain()}


def compare(
    zoo: Zoo, a: Checkpoint, b: Checkpoint, places: Places, device: str = "cpu", tell: Tell = silent
) -> Comparison:
    """Compare two checkpoints of a zoo by every measure that is defined for both.

    InputError if they are one; IntegrityError if the bytes of either are damaged.
    """
    if (a.member.name, a.epoch) == (b.member.name, b.epoch):
        raise InputError(f"{a.member.name}, epoch {a.epoch}, cannot be compared with itself. Name two members.")
    for checkpoint in (a, b):
        checkpoint.check()
    rows = [_row(zoo, checkpoint) for checkpoint in (a, b)]
    selection = Selection(zoo, rows, [])
    missing: list[str] = []
    share, kappa = _behaviour(selection, places, device, missing)
    return Comparison(
        a.member.name,
        b.member.name,
        _distance(selection, missing),
        share,
        kappa,
        _similarity(selection, places, device, tell, missing),
        _connection(a, b, places, device, tell, missing),
        tuple(missing),
    )


def _row(zoo: Zoo, checkpoint: Checkpoint) -> dict[str, Any]:
    name = checkpoint.member.name
    for row in zoo.rows(f"epoch = {checkpoint.epoch}"):
        if row["member"] == name:
            return row
    raise IntegrityError(f"{name} cannot be read. `vitzoo verify` says what is wrong with it.")


def _distance(selection: Selection, missing: list[str]) -> float | None:
    weights = weigh(selection)
    distance = float(weights.matrix([row["sha256"] for row in selection.rows])[0, 1])
    if distance == distance:
        return distance
    missing.append("Their backbones have different shapes, so there is no distance.")
    return None


def _behaviour(
    selection: Selection, places: Places, device: str, missing: list[str]
) -> tuple[float | None, float | None]:
    predictions = predict(selection, places, "test", device)
    missing += [f"Predictions: {out}." for out in predictions.left_out]
    found = [predictions.found.get((row["member"], row["epoch"])) for row in selection.rows]
    named = [None if one is None or one.classes is None else (one.images, one.classes) for one in found]
    share, kappa = (float(m[0, 1]) for m in between(named, [row["head_outputs"] for row in selection.rows]))
    if share != share:
        missing.append("They do not predict classes of the same images, so there is no agreement.")
        return None, None
    return share, kappa if kappa == kappa else None


def _similarity(selection: Selection, places: Places, device: str, tell: Tell, missing: list[str]) -> dict[str, float]:
    try:
        found = similarity(selection, places, data_of=selection.rows[0]["member"], device=device, tell=tell)
    except (DataError, InputError) as error:
        missing.append(f"Similarity: {error}")
        return {}
    places_of = [(row["member"], row["epoch"]) for row in selection.rows]
    first, second = ({r.layer: i for i, r in enumerate(found.rows) if (r.member, r.epoch) == at} for at in places_of)
    return {layer: float(found.matrix[i, second[layer]]) for layer, i in first.items() if layer in second}


def _connection(
    a: Checkpoint, b: Checkpoint, places: Places, device: str, tell: Tell, missing: list[str]
) -> Connection | None:
    try:
        return connectivity(a, b, places, device=device, tell=tell)
    except (DataError, InputError) as error:
        missing.append(f"Connectivity: {error}")
        return None

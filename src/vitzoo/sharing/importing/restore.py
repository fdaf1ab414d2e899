"""Members that vitzoo exported into the published layout come back as they were: their config travels with them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vitzoo.errors import InputError, IntegrityError
from vitzoo.sharing import foreign_json
from vitzoo.sharing.official.places import OURS
from vitzoo.zoo import Member, Zoo, imported, zoo_json
from vitzoo.zoo.checkpoint import is_edge
from vitzoo.zoo.commit import Ready
from vitzoo.zoo.layout import BLUEPRINT, MERGING, PRETRAINING, ZOO_JSON
from vitzoo.zoo.member import check_config
from vitzoo.zoo.strict_json import MAX_BYTES


@dataclass(frozen=True)
class Head:
    """What is said of a zoo as a whole."""

    name: str
    licence: str
    execution: dict[str, Any]
    blueprint: str


@dataclass(frozen=True)
class Travelled:
    """What an export wrote of a member: its config, all its epochs, what it came from, its checkpoints' digests.

    ``diverged`` is the epoch in which its training did, if so.
    """

    config: dict[str, Any]
    epochs: list[int]
    origin: dict[str, Any] | None
    checkpoints: dict[int, dict[str, Any]]
    diverged: int | None = None


def head(folder: Path) -> Head | None:
    """Return what an export wrote of the zoo as a whole; ``None`` if nothing. InputError if it is not sound."""
    if not folder.is_dir() or folder.is_symlink():
        return None
    try:
        found = zoo_json.read(folder / ZOO_JSON)
        text = foreign_json.read_text(folder / BLUEPRINT, MAX_BYTES).decode()
    except (IntegrityError, UnicodeDecodeError) as error:
        raise InputError(f"{folder} is not what an export writes: {error}") from None
    return Head(found["name"], found["licence"], found["execution"], text)


def read(declared: Mapping[str, Any], diverged: int | None) -> Travelled | None:
    """Return what travelled in a published config; ``None`` if nothing did. InputError if it is not sound."""
    if f"{OURS}config" not in declared:
        return None
    config, epochs, origin, told = (
        declared.get(f"{OURS}{name}") for name in ("config", "epochs", "origin", "checkpoints")
    )
    try:
        checked = check_config(config, f"{OURS}config")
    except IntegrityError as error:
        raise InputError(str(error)) from None
    if (
        not (isinstance(epochs, list) and all(type(epoch) is int for epoch in epochs))
        or not isinstance(told, dict)
        or not (origin is None or is_edge(origin))
        or checked["stage"] == MERGING
    ):
        raise InputError(f"its {OURS} keys are not what an export writes")
    by_epoch = {int(e): dict(v) for e, v in told.items() if e.isascii() and e.isdigit() and isinstance(v, dict)}
    return Travelled(checked, sorted(epochs), origin, by_epoch, diverged)


def add(
    zoo: Zoo, travelled: Travelled, layout: str, key: str, ready: Mapping[int, Ready], lines: Mapping[int, Any]
) -> Member:
    """Add the member as it was, with the checkpoints that came, each of which must have the digest it left with.

    InputError if weights changed on the way, or its parent is not in the zoo.
    """
    parent = travelled.config["parent"]
    if parent and all(member.name != parent["member"] for member in zoo.members(PRETRAINING)):
        raise InputError(f"{key} was fine-tuned from {parent['member']}, which did not come along.")
    for epoch, file in ready.items():
        left_with = travelled.checkpoints.get(epoch, {}).get("sha256")
        if file.sha256 != left_with:
            raise InputError(f"{key}, epoch {epoch}, has other weights than were exported.")
    member = zoo.add_member(_config(travelled, layout, key, sorted(ready)))
    edge = _edge(zoo, travelled)
    for count, epoch in enumerate(sorted(ready)):
        file = replace(ready[epoch], source=travelled.checkpoints[epoch].get("source"))
        member.commit(epoch, file, lines.get(epoch, {}), None if count else edge)
    if travelled.diverged is not None:
        member.record_divergence(travelled.diverged, lines[travelled.diverged])
    others = {epoch: line for epoch, line in lines.items() if epoch not in (*ready, travelled.diverged)}
    member.record_epochs({"epoch": epoch, **line} for epoch, line in sorted(others.items()))
    return member


def _config(travelled: Travelled, layout: str, key: str, epochs: list[int]) -> dict[str, Any]:
    """Return the config as it was, or, if only some of the checkpoints came, with a word on that."""
    config = travelled.config
    if epochs == travelled.epochs:
        return config
    if "imported" in config:
        return config | {"imported": config["imported"] | {"epochs": epochs}}
    note = f"{len(travelled.epochs)} checkpoints were grown, {len(epochs)} came"
    return config | {"imported": imported.make(layout, key, config["name"], {}, epochs, [note])}


def _edge(zoo: Zoo, travelled: Travelled) -> dict[str, Any] | None:
    """Return the first checkpoint's parent: as recorded if that came along, else the last checkpoint of the parent."""
    if travelled.config["parent"] is None:
        return None
    origin, parent = travelled.origin, zoo.member(travelled.config["parent"]["member"])
    if origin and origin["member"] == parent.name and origin["epoch"] in parent.epochs():
        return origin
    return parent.checkpoint().edge

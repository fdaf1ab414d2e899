"""A repository for each member: its card, timm's config and its last weights."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError
from vitzoo.lineage.export import base_models
from vitzoo.sharing.publishing import model_card
from vitzoo.sharing.publishing.address import Address, model_name
from vitzoo.sharing.publishing.choice import Choice
from vitzoo.sharing.publishing.model_card import Model
from vitzoo.sharing.publishing.repository import Repository, made, weights
from vitzoo.zoo.layout import CONFIG, WEIGHTS
from vitzoo.zoo.merge import TIMM

if TYPE_CHECKING:
    from vitzoo.zoo import Member

Row = Mapping[str, Any]


def models(choice: Choice, rows: Sequence[Row], zoo: Address, endpoint: str) -> tuple[dict[str, Repository], list[str]]:
    """Return the repositories by member, each after those of what it came from, and what was left out and why.

    ``rows`` are those of the catalogue. A member without a checkpoint, or whose config says nothing to timm, has none.
    """
    last = {row["member"]: row for row in rows if row["is_last"]}
    left = [f"{member.name}: {why}" for member in choice.members if (why := _unfit(member, last))]
    fit = [member for member in choice.members if not _unfit(member, last)]
    addresses = _addresses(fit, zoo)
    bases = {found["model"]: found for found in base_models(choice.zoo.lineage())}
    children = Counter(row["parent_member"] for row in last.values())
    found = {}
    for member in fit:
        of = bases.get(member.name, {}).get("base_model", [])
        model = Model(
            row=last[member.name],
            address=addresses[member.name],
            zoo=zoo,
            licence=choice.zoo.licence,
            bases=tuple(addresses[name] for name in ([of] if isinstance(of, str) else of) if name in addresses),
            relation=bases.get(member.name, {}).get("base_model_relation"),
            children=children[member.name],
            arguments=member.config["model_args"],
            endpoint=endpoint,
        )
        found[member.name] = _repository(member, model)
    return found, left


def _unfit(member: "Member", last: Mapping[str, Row]) -> str:
    if member.name not in last:
        return "it has no checkpoint"
    if lacking := [key for key in TIMM if key not in member.config]:
        return f"its config lacks {', '.join(lacking)}, which timm needs"
    return "" if isinstance(member.config["model_args"], dict) else "its config has model_args that are none"


def _addresses(members: "Sequence[Member]", zoo: Address) -> dict[str, Address]:
    found = {member.name: zoo.beside(model_name(zoo.name, member.name, member.id)) for member in members}
    twice = [name for name, count in Counter(a.name.casefold() for a in found.values()).items() if count > 1]
    if twice:
        raise InputError(
            f"Several members would be {zoo.user}/{twice[0]} on the hub. Publish them apart, with --where."
        )
    return found


def _repository(member: "Member", model: Model) -> Repository:
    checkpoint = member.checkpoint(model.row["epoch"])
    files = (
        made("README.md", model_card.card(model)),
        made(CONFIG, member.config_bytes),
        weights(WEIGHTS, checkpoint),
    )
    return Repository("model", model.address, files)

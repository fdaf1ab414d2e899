"""Where exported weights come from, and under which licence: provenance.json, and the README beside it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vitzoo.analysis.words import counted
from vitzoo.measures.selection import ALL, LAST, Epochs
from vitzoo.sharing.exporting.contract import Exporter, Item, Order

if TYPE_CHECKING:
    from vitzoo.zoo import Zoo

PROVENANCE, README = "provenance.json", "README.md"
KEPT = ("LICENSE", "CITATION.cff")  # of the zoo's own files, those that go wherever its weights go
SHOWN = 20  # what is left out, before the rest is counted


def written_by() -> str:
    """Name this program and its version."""
    import vitzoo

    return f"vitzoo {vitzoo.__version__}"


def origin(zoo: "Zoo", item: Item) -> dict[str, Any]:
    """Say of one checkpoint which it is and what it came from, under a key that other libraries leave alone.

    ``parent`` is the checkpoint its member was initialised from, ``from`` the one before it in the same training or
    that parent; of a merged member ``merge`` says what it was made of.
    """
    row, member = item.row, item.checkpoint.member
    about = {
        "zoo": zoo.name,
        "licence": zoo.licence,
        "member": row["member"],
        "id": row["id"],
        "stage": row["stage"],
        "epoch": row["epoch"],
        "sha256": row["sha256"],
        "parent": _edge(row, "parent"),
        "from": _edge(row, "from"),
        **({"merge": member.merge} if member.merge else {}),
    }
    return {"vitzoo": about}


def provenance(order: Order, exporter: Exporter) -> dict[str, Any]:
    """Say where everything in an export comes from; ``sha256`` is the digest of the zoo's ``model.safetensors``."""
    return {
        "format": 1,
        "written_by": written_by(),
        "to": exporter.name,
        "zoo": {"name": order.zoo.name, "licence": order.zoo.licence, "execution": order.zoo.execution},
        "where": order.where,
        "epochs": order.epochs if isinstance(order.epochs, str) else list(order.epochs),
        "part": order.part,
        "checkpoints": [
            exporter.locate(order, index) | origin(order.zoo, item) for index, item in enumerate(order.items)
        ],
        "left_out": [vars(out) for out in order.left_out],
    }


def readme(order: Order, exporter: Exporter, notes: Sequence[str], kept: Sequence[str]) -> str:
    """Write the README of an export."""
    from vitzoo.analysis.tables.escape import markdown  # only here: it comes with the tables

    zoo = order.zoo
    amount = f"{counted(len(order.items), 'checkpoint')} of {counted(len(order.members), 'member')}"
    lines = [
        f"# {markdown(zoo.name)}, exported to {exporter.name}",
        "",
        f"{amount} of the zoo {markdown(zoo.name)}: {exporter.what}. Written by {written_by()}.",
        f"Licence: {markdown(zoo.licence)}{f', see {kept[0]}' if 'LICENSE' in kept else ''}.",
        "",
        "## How to use it",
        "",
        exporter.usage(order).strip(),
        "",
        *(f"* {markdown(note)}" for note in notes),
        *([""] if notes else []),
        "## Where it comes from",
        "",
        f"`{PROVENANCE}` names zoo, member, epoch, parent and SHA-256 of every checkpoint.",
        *_choice(order, markdown),
    ]
    return "\n".join(lines) + "\n"


def _choice(order: Order, markdown: Any) -> list[str]:
    said = [f"Chosen: {_epochs(order.epochs)}{f', where {markdown(order.where)}' if order.where else ''}."]
    if order.left_out:
        said += ["", "Left out:", "", *(f"* {markdown(str(out))}" for out in order.left_out[:SHOWN])]
    if len(order.left_out) > SHOWN:
        said.append(f"* {len(order.left_out) - SHOWN:,} more; `{PROVENANCE}` lists all.")
    return said


def _epochs(epochs: Epochs) -> str:
    if isinstance(epochs, str):
        return {LAST: "the last epoch of every finished member", ALL: "every epoch that was kept"}[epochs]
    return f"epochs {', '.join(map(str, epochs))} of every finished member"


def _edge(row: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    if row[f"{name}_member"] is None:
        return None
    return {key: row[f"{name}_{key}"] for key in ("member", "epoch", "sha256")}

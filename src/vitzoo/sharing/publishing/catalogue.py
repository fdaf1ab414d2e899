"""The catalogue of what is published: that of the zoo, or of the members that were chosen."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitzoo.sharing.publishing.choice import Choice
from vitzoo.zoo import catalogue_file

PUBLISHED = "published"  # no tree has this fingerprint, so whoever has the tree beside it builds the catalogue again


@dataclass(frozen=True)
class Catalogue:
    """Rows, one per checkpoint, and the Parquet file that holds them."""

    rows: Sequence[Mapping[str, Any]]
    parquet: bytes


def catalogue(choice: Choice) -> Catalogue:
    """Return the catalogue of the chosen members; the same zoo gives the same bytes."""
    names, summary = choice.names, dict(choice.zoo.catalogue().summary)
    rows = choice.zoo.rows()
    if names is not None:
        rows = [row for row in rows if row["member"] in names]
        summary = _summary(choice, rows)
    return Catalogue(rows, catalogue_file.encode(rows, {"fingerprint": PUBLISHED, "summary": summary})[1])


def _summary(choice: Choice, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    statuses = Counter("merged" if member.merge else member.status for member in choice.members)
    return {
        "members": dict(sorted(statuses.items())),
        "checkpoints": len(rows),
        "bytes": sum(row["size"] for row in rows),
        "unreadable": 0,
        "unreadable_first": [],
    }

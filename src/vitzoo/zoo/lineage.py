"""The graph of a zoo: who was initialised from whom, for members and for checkpoints."""

from typing import TYPE_CHECKING

from vitzoo.zoo import merge
from vitzoo.zoo.layout import MERGING

if TYPE_CHECKING:
    import networkx

    from vitzoo.zoo.store import Zoo


def graph(zoo: "Zoo") -> "networkx.DiGraph":
    """Return a graph whose edges point from the origin to what came of it.

    Nodes have ``kind``: ``member`` (node: its name; attributes stage, id) or ``checkpoint`` (node: ``member@epoch``;
    attributes member, epoch, sha256). Edges have ``kind``: ``descends`` between members and between checkpoints,
    ``merged`` from what was merged to what came of it, also between both, ``has`` from a member to its checkpoints.
    """
    import networkx  # only here: reading and listing a zoo does not need it

    found = networkx.DiGraph()
    members = zoo.members()
    zoo.files.ahead((lambda m=m: m.config for m in members if m.stage == MERGING), "Reading recipes")
    for member in members:
        found.add_node(member.name, kind="member", stage=member.stage, id=member.id)
        if member.parent_name is not None:
            found.add_edge(member.parent_name, member.name, kind="descends")
        for edge in merge.origins(member.merge) if member.merge else ():
            found.add_edge(edge["member"], member.name, kind="merged")
            found.add_edge(f"{edge['member']}@{edge['epoch']}", f"{member.name}@0", kind="merged")
    names = ["member", "epoch", "sha256", "from_member", "from_epoch"]
    for row in zoo.rows(columns=names):
        node = f"{row['member']}@{row['epoch']}"
        found.add_node(node, kind="checkpoint", member=row["member"], epoch=row["epoch"], sha256=row["sha256"])
        found.add_edge(row["member"], node, kind="has")
        if row["from_member"] is not None:
            found.add_edge(f"{row['from_member']}@{row['from_epoch']}", node, kind="descends")
    return found

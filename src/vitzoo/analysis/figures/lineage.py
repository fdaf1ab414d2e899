"""Members in the order of their lineage: task, backbone, then its children by their factors."""

from vitzoo.analysis.levels import with_backbones
from vitzoo.measures.measurements import DataFrame, Measurements

WITHIN = ("optimizer", "lr", "head", "seed", "batch_size", "weight_decay")  # order of a backbone's children
_AS_PARENT = ("task", "dataset", "seed", "batch_size", "optimizer", "lr", "weight_decay", "epochs", "member", "sha256")


def ordered(m: Measurements) -> DataFrame:
    """Return ``m.members`` by lineage, each backbone before its children; the index says where rows lie in matrices.

    ``parent_task`` and ``backbone`` (its short name) are ordered and known for all rows: a backbone belongs to itself.
    """
    rows = m.members
    backbones = rows["stage"] == "pretraining"
    nothing = float("nan")
    own = {
        f"parent_{name}": rows[name].where(backbones, rows.get(f"parent_{name}", nothing))
        for name in _AS_PARENT
        if name in rows
    }
    named = with_backbones(rows.assign(**own)).assign(child=~backbones)
    return named.sort_values(["parent_task", "backbone", "child", *(name for name in WITHIN if name in rows), "member"])

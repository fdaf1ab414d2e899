"""Members in the order of their lineage: task, backbone, then its children by their factors."""

from vitzoo.analysis import levels
from vitzoo.measures.measurements import DataFrame, Measurements

WITHIN = ("optimizer", "lr", "head", "seed", "batch_size", "weight_decay")  # order of a backbone's children
_AS_PARENT = ("task", "dataset", "seed", "batch_size", "optimizer", "lr", "weight_decay", "epochs")


def ordered(m: Measurements) -> DataFrame:
    """Return ``m.members`` by lineage, each backbone before its children; the index says where rows lie in matrices.

    ``parent_task`` and ``backbone`` (its short name) are ordered and known for all rows: a backbone belongs to itself.
    InputError if there is no member.
    """
    rows = m.members
    backbones = rows["stage"] == "pretraining"
    own = {
        f"parent_{name}": rows[name].where(backbones, rows[f"parent_{name}"])
        for name in _AS_PARENT
        if _both(rows, name)
    }
    own["parent_member"] = rows["member"].where(backbones, rows["parent_member"])
    own["parent_sha256"] = rows["sha256"].where(backbones, rows["parent_sha256"])
    # ``levels`` names the parents of fine-tuned members that have an accuracy; names need neither.
    named = levels.finetuned(rows.assign(**own, stage="finetuning", status="finished", test_acc=0.0))
    own |= {"parent_task": named["parent_task"], "backbone": named["backbone"], "child": ~backbones}
    by = ["parent_task", "backbone", "child", *(name for name in WITHIN if name in rows), "member"]
    return rows.assign(**own).sort_values(by)


def _both(rows: DataFrame, name: str) -> bool:
    return name in rows and f"parent_{name}" in rows

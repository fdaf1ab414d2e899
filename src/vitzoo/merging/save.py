"""A merged model becomes a member of the zoo, with what it was made of in its lineage.

Any merge is saved so, also one of models that were aligned first: its method is then a name such as ``across/learned``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vitzoo.errors import InputError
from vitzoo.zoo import Checkpoint, Member, Zoo, merge
from vitzoo.zoo.layout import MERGING, check_name


def reference(checkpoint: Checkpoint, share: float | None = None) -> dict[str, Any]:
    """Return what is recorded of a checkpoint that was merged, and its share of the weights if it has one."""
    found = checkpoint.edge
    return found if share is None else {**found, "share": share}


def save(
    zoo: Zoo,
    tensors: Mapping[str, Any],
    method: str,
    settings: Mapping[str, Any],
    ingredients: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, float],
    name: str | None = None,
    parent: Mapping[str, Any] | None = None,
) -> Member:
    """Store a merged model; storing it again changes nothing.

    Args:
        zoo: the zoo that holds the ingredients.
        tensors: the weights under timm's names, torch's or NumPy's.
        method, settings: how it was merged; settings are plain JSON data.
        ingredients: ``reference`` of each checkpoint that was merged; their order counts.
        metrics: what was measured, ``test_acc`` and ``test_loss``.
        name: the member's, by default of the method and the merge's id.
        parent: ``reference`` of the checkpoint that differences were taken from.

    Raises:
        InputError: the same merge is there under another name, or the name is none.
        IntegrityError: a member of that name is something else, or an ingredient has changed.
    """
    made = merge.make(method, settings, ingredients, parent)
    if not merge.is_merge(made):
        raise InputError(f"This is no merge that can be stored: {str(made)[:200]}.")
    identity = merge.merge_id(made)
    name = check_name(name) if name else f"merge_{method.replace('/', '-')}_{len(ingredients)}-{identity[:8]}"
    for other in zoo.members(MERGING):
        if other.id == identity and other.name != name:
            raise InputError(f"The same merge is in the zoo already, as {other.name!r}.")
    members = {one["member"]: zoo.member(one["member"]) for one in ingredients}
    config = merge.make_config(name, made, [member.config for member in members.values()])
    arrays = {key: tensor if not hasattr(tensor, "numpy") else tensor.numpy() for key, tensor in tensors.items()}
    return zoo.add_merged(config, arrays, metrics)

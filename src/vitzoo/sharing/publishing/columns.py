"""What the columns of the catalogue mean, in a sentence each; factors as the fields of a blueprint say it."""

from collections.abc import Iterator
from functools import cache

from vitzoo.zoo import rows

_OF_CHECKPOINT = {
    "stage": "Pretraining, finetuning or merging.",
    "member": "Name of the member, unique in the zoo.",
    "id": "Id of the member's recipe, or of its merge: SHA-256 of its canonical JSON.",
    "epoch": "Epoch after which these weights were stored; 0 is before training.",
    "is_last": "Whether this is the member's last checkpoint.",
    "status": "The member's status: planned, growing, finished or diverged.",
    "method": "How a merged member was merged; null for others.",
    "parent_member": "The member that this one was initialised from.",
    "parent_epoch": "The parent's epoch that this member was initialised from.",
    "parent_sha256": "Digest of the weights that this member was initialised from.",
    "from_member": "The member whose checkpoint these weights came from: the one before, or the parent's.",
    "from_epoch": "The epoch of the checkpoint that these weights came from.",
    "from_sha256": "Digest of the weights that these weights came from.",
    "path": "Directory of the checkpoint, relative to the zoo.",
    "sha256": "SHA-256 of the checkpoint's model.safetensors.",
    "size": "Bytes of all files of the checkpoint.",
}
_METRICS = {
    "train_loss": "Mean loss as it ran during the epoch, on augmented images.",
    "train_acc": "Accuracy as it ran during the epoch, on augmented images, as a fraction.",
    "test_loss": "Mean loss on the test split.",
    "test_acc": "Share of test images whose largest logit is the label's; for contrastive tasks, of views that find "
    "their partner in the batch.",
    "train_loss_clean": "Mean loss on the training split without augmentation, after the last epoch.",
    "train_acc_clean": "Accuracy on the training split without augmentation, after the last epoch, as a fraction.",
    "lr_now": "Learning rate at the end of the epoch.",
    "images_per_second": "Speed of the stack that the member was trained in.",
}


def meaning(column: str) -> str:
    """Say what a column means.

    >>> meaning("epoch"), meaning("lr"), meaning("parent_lr")
    ('Epoch after which these weights were stored; 0 is before training.', 'Factor: peak learning rate.', \
"The parent's factor: peak learning rate.")
    """
    if found := _OF_CHECKPOINT.get(column) or _METRICS.get(column):
        return found
    if found := _factors().get(column):
        return f"Factor: {found}."
    own = column.removeprefix("parent_")
    if own in rows.OF_PARENT:
        return f"The parent's factor: {_factors().get(own, own)}."
    return f"{column}, as the checkpoint's manifest or the member's recipe gives it."


@cache
def _factors() -> dict[str, str]:
    from vitzoo.blueprint.schema import Augmentation, Backbone, Checkpoints, Dataset, Hyperparameters

    groups = {
        "architecture": Backbone,
        "dataset": Dataset,
        "augmentation": Augmentation,
        "hyperparameters": Hyperparameters,
        "checkpoints": Checkpoints,
    }
    nested = {group: dict(_described(model)) for group, model in groups.items()}
    return rows.factors(nested)


def _described(model: type, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield a model's fields with what they mean, models within as dicts: a recipe with words for values."""
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        words = f"{prefix}{name.replace('_', ' ')}"
        yield name, dict(_described(inner, f"{words}: ")) if inner else field.description or words


def _model_of(annotation: object) -> type | None:
    from typing import get_args

    from vitzoo.blueprint.schema import Fields

    candidates = (annotation, *get_args(annotation))
    return next((kind for kind in candidates if isinstance(kind, type) and issubclass(kind, Fields)), None)

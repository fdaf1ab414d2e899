"""Values that others call hyper-parameters, as factors of a recipe: what a blueprint accepts, nothing else."""

from functools import cache
from typing import Annotated, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from vitzoo.blueprint.schema import Hyperparameters
from vitzoo.sharing.importing.tables.values import shown

#: Spellings of values that mean one of a recipe's; others are taken as they are, in lower case.
SPELLINGS = {
    "optimizer": {"adamw_torch": "adamw", "adamw_torch_fused": "adamw", "adamw_hf": "adamw", "momentum": "sgd"},
    "schedule": {"cosine_annealing": "cosine", "cosineannealing": "cosine", "cosineannealinglr": "cosine"}
    | {"cosine_with_warmup": "cosine", "fixed": "constant", "constantlr": "constant"},
    "task": {"sl": "supervised", "ce": "supervised", "cl": "contrastive", "simclr": "contrastive"}
    | {"info_nce": "contrastive"},
}


def of(name: str, value: Any) -> tuple[Any, str | None]:
    """Return a factor's value and ``None``, or ``None`` and why this value cannot be that factor's.

    >>> of("lr", 0.1), of("epochs", 30.0), of("optimizer", "AdamW")
    ((0.1, None), (30, None), ('adamw', None))
    >>> of("mixup", True)[1], of("optimizer", "lamb")[1]
    ('mixup is True: Input should be a valid number', "optimizer is 'lamb': Input should be 'adamw' or 'sgd'")
    """
    plain = value
    if isinstance(value, str):
        lowered = value.strip().lower()
        plain = SPELLINGS.get(name, {}).get(lowered, lowered)
    elif isinstance(value, float) and value.is_integer() and Hyperparameters.model_fields[name].annotation is int:
        plain = int(value)  # a column of whole numbers with a gap is one of floating-point numbers in a data frame
    try:
        return _adapter(name).validate_python(plain), None
    except ValidationError as error:
        return None, f"{name} is {shown(value)}: {error.errors()[0]['msg']}"


@cache
def _adapter(name: str) -> TypeAdapter:
    field = Hyperparameters.model_fields[name]
    form: Any = Annotated
    return TypeAdapter(form[field.annotation, field], config=ConfigDict(strict=True, allow_inf_nan=False))

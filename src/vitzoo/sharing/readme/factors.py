"""Which values the generating factors take in each stage: the paper's Tables 4 and 5, read off the catalogue."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitzoo.analysis.levels import text
from vitzoo.zoo.layout import GROWN

Row = Mapping[str, Any]
SHOWN = 10  # values of a factor that are listed; of more, the ends or the first ones


@dataclass(frozen=True)
class Factor:
    """A factor and its values, as a person writes them, in pre-training and in fine-tuning."""

    name: str
    pretraining: tuple[str, ...]
    finetuning: tuple[str, ...]


def factors(rows: Sequence[Row]) -> tuple[Factor, ...]:
    """Return the factors of which anything is known, given one row of the catalogue for each member.

    Of regularisation, what is off everywhere is left out.

    >>> rows = [{"stage": "pretraining", "optimizer": "sgd", "momentum": 0.9, "lr": lr} for lr in (0.1, 0.01)]
    >>> for factor in factors(rows):
    ...     print(factor.name, *factor.pretraining, sep=", ")
    optimizer, sgd with momentum 0.9
    learning rate, 0.01, 0.1
    """
    found = [Factor(name, *(_values(rows, stage, say) for stage in GROWN)) for name, say in _SAY.items()]
    return tuple(f for f in found if f.pretraining or f.finetuning)


def _values(rows: Iterable[Row], stage: str, say: Callable[[Row], Any]) -> tuple[str, ...]:
    values = [say(row) for row in rows if row["stage"] == stage]
    known = list(dict.fromkeys(value for value in values if value is not None))
    numbers = all(isinstance(value, int | float) for value in known)
    ordered = sorted(known) if numbers else known
    if len(ordered) <= SHOWN:
        return tuple(map(text, ordered))
    first = [f"{text(ordered[0])} to {text(ordered[-1])}"] if numbers else [text(ordered[0]), text(ordered[1]), "…"]
    return (*first, f"{len(ordered):,} values")


def _plain(column: str) -> Callable[[Row], Any]:
    def say(row: Row) -> Any:
        value = row.get(column)
        return value if value is None or isinstance(value, int | float | str) else str(value)

    return say


def _if_on(column: str) -> Callable[[Row], Any]:
    return lambda row: row.get(column) or None


def _architecture(row: Row) -> str | None:
    dim, depth, heads = (row.get(name) for name in ("dim", "depth", "heads"))
    if dim is None or depth is None:
        return None
    words = [f"ViT {dim}×{depth}", f"{heads} head{'' if heads == 1 else 's'}" if heads else ""]
    words += [f"patches of {size}" if (size := row.get("patch_size")) else ""]
    words += [f"images of {size} pixels" if (size := row.get("image_size")) else ""]
    return ", ".join(filter(None, words))


def _head(row: Row) -> str | None:
    return f"MLP-{row['head_hidden']}" if row.get("head") == "mlp" and row.get("head_hidden") else row.get("head")


def _optimizer(row: Row) -> str | None:
    name, momentum = row.get("optimizer"), row.get("momentum")
    return f"{name} with momentum {text(momentum)}" if name == "sgd" and momentum else name


def _schedule(row: Row) -> str | None:
    name, warmup = row.get("schedule"), row.get("warmup_epochs")
    return f"{name} after {text(warmup)} epochs of warm-up" if name and warmup else name


_SAY: dict[str, Callable[[Row], Any]] = {
    "architecture": _architecture,
    "head": _head,
    "data set": _plain("dataset"),
    "task": _plain("task"),
    "optimizer": _optimizer,
    "learning rate": _plain("lr"),
    "weight decay": _plain("weight_decay"),
    "schedule": _schedule,
    "epochs": _plain("epochs"),
    "batch size": _plain("batch_size"),
    "seed": _plain("seed"),
    "gradient clipping": _if_on("clip"),
    "label smoothing": _if_on("label_smoothing"),
    "MixUp": _if_on("mixup"),
    "CutMix": _if_on("cutmix"),
    "random erasing": _if_on("random_erasing"),
    "stochastic depth": _if_on("stochastic_depth"),
}

"""The generating factors of a set of recipes as a table: the paper's Tables 4 and 5 for any blueprint."""

from collections.abc import Callable
from dataclasses import dataclass

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Augmentation, Backbone, Head

Text = Callable[[Recipe], str]

_SIZES = {(192, 12, 3): "Ti", (384, 12, 6): "S", (768, 12, 12): "B", (1024, 24, 16): "L"}


@dataclass(frozen=True)
class Factor:
    """One row: a factor and its distinct values in each stage, in the order of the blueprint."""

    name: str
    pretraining: tuple[str, ...]
    finetuning: tuple[str, ...]


def generating(pretraining: list[Recipe], finetuning: list[Recipe]) -> list[Factor]:
    """The paper's Table 4: architecture, data set and what the grids vary, and what belongs next to it.

    >>> from vitzoo.blueprint import expand, load
    >>> generating(*expand(load("paper")))[0]
    Factor(name='Architecture', pretraining=('ViT-S/16 at 224',), finetuning=('linear head', 'MLP-256 head'))
    """
    first = Factor(
        "Architecture",
        _distinct(pretraining, lambda r: backbone(r.architecture)),
        _distinct(finetuning, lambda r: f"{head(r.architecture.head)} head"),
    )
    rows: dict[str, Text] = {
        "Dataset": lambda r: r.dataset.source,
        "Task": lambda r: r.hyperparameters.task,
        "Learning rates": lambda r: f"{r.hyperparameters.lr:g}",
        "Weight decay": lambda r: f"{r.hyperparameters.weight_decay:g}",
        "Optimiser": optimiser,
        "Schedule": schedule,
        "Epochs": lambda r: str(r.hyperparameters.epochs),
        "Batch size": lambda r: str(r.hyperparameters.batch_size),
        "Seeds": lambda r: str(r.hyperparameters.seed),
    }
    return [first, *_rows(rows, pretraining, finetuning)]


def constants(pretraining: list[Recipe], finetuning: list[Recipe]) -> list[Factor]:
    """The paper's Table 5: regularisation and augmentation. A value that goes with the task names its task."""
    rows: dict[str, Text] = {
        "Stochastic depth": lambda r: f"{r.hyperparameters.stochastic_depth:g}",
        "Label smoothing": lambda r: f"{r.hyperparameters.label_smoothing:g}",
        "CutMix": lambda r: f"{r.hyperparameters.cutmix:g}",
        "MixUp": lambda r: f"{r.hyperparameters.mixup:g}",
        "Random erase": lambda r: f"{r.hyperparameters.random_erasing:g}",
        "Augmentation": lambda r: augmentation(r.augmentation),
    }
    return _rows(rows, pretraining, finetuning)


def _rows(rows: dict[str, Text], pretraining: list[Recipe], finetuning: list[Recipe]) -> list[Factor]:
    return [Factor(name, _values(pretraining, text), _values(finetuning, text)) for name, text in rows.items()]


def _values(recipes: list[Recipe], text: Text) -> tuple[str, ...]:
    """List the distinct values; if each task has one of its own, name the task."""
    values = _distinct(recipes, text)
    tasks = _distinct(recipes, lambda r: r.hyperparameters.task)
    by_task = {task: _distinct([r for r in recipes if r.hyperparameters.task == task], text) for task in tasks}
    if len(values) > 1 and values != tasks and all(len(own) == 1 for own in by_task.values()):
        return tuple(f"{own[0]} ({task})" for task, own in by_task.items())
    return values


def _distinct(recipes: list[Recipe], text: Text) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text(recipe) for recipe in recipes))


def backbone(arch: Backbone) -> str:
    """Name a backbone: the usual name where it has one, else its sizes."""
    size = _SIZES.get((arch.dim, arch.depth, arch.heads)) if arch.mlp_ratio == 4 else None
    name = f"ViT-{size}/{arch.patch_size}" if size else f"ViT {arch.dim}×{arch.depth}, {arch.heads} heads"
    return f"{name} at {arch.image_size}" if size else f"{name}, patch {arch.patch_size}, at {arch.image_size}"


def head(fields: Head) -> str:
    """Name a head: ``linear`` or ``MLP-256``."""
    return "linear" if fields.kind == "linear" else f"MLP-{fields.hidden}"


def optimiser(recipe: Recipe) -> str:
    """Name the optimiser, with the momentum of SGD."""
    h = recipe.hyperparameters
    return "AdamW" if h.optimizer == "adamw" else f"SGD (momentum {h.momentum:g})"


def schedule(recipe: Recipe) -> str:
    """Name the schedule of the learning rate, its warm-up and the gradient clip."""
    h = recipe.hyperparameters
    warmup = [f"{h.warmup_epochs:g} epochs warm-up"] if h.warmup_epochs else []
    clip = [f"clip {h.clip:g}"] if h.clip else []
    return " + ".join([h.schedule, *warmup, *clip])


def augmentation(fields: Augmentation) -> str:
    """Write an augmentation in a line.

    >>> from vitzoo.blueprint.schema import Crop
    >>> augmentation(Augmentation(crop=Crop(kind="random", padding=4), flip=0.5, rotation=10.0))
    'random crop (padding 4) + flip 0.5 + rotation ±10°'
    """
    parts: list[str] = []
    if crop := fields.crop:
        random = [f"resize {crop.resize}"] * bool(crop.resize) + [f"padding {crop.padding}"] * bool(crop.padding)
        window = random if crop.kind == "random" else [f"area {crop.scale[0]:g} to {crop.scale[1]:g}"]
        parts.append(f"{crop.kind.replace('_', ' ')} crop" + (f" ({', '.join(window)})" if window else ""))
    if fields.flip:
        parts.append(f"flip {fields.flip:g}")
    if fields.rotation:
        parts.append(f"rotation ±{fields.rotation:g}°")
    if jitter := fields.jitter:
        strengths = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
        parts.append(f"jitter {'/'.join(f'{s:g}' for s in strengths)} p {jitter.probability:g}")
    if fields.grey:
        parts.append(f"grey {fields.grey:g}")
    if blur := fields.blur:
        parts.append(f"blur {blur.kernel} p {blur.probability:g}")
    return " + ".join(parts) or "none"

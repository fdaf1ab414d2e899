"""What an export of models will be, from configs and headers: sizes, and that every file is the model of its config."""

from vitzoo.analysis.words import counted
from vitzoo.sharing.exporting.contract import Order, Survey, Tell
from vitzoo.sharing.exporting.model import Model, model_of

SMALL = 4_000  # bytes of a small file, about
WHOLE = 2  # files of the export as a whole


def survey_models(order: Order, tell: Tell, files: int) -> Survey:
    """Check that every checkpoint is a model; ``files`` is how many a directory gets, two more with an MLP head."""
    read_ahead(order)
    done, total, size = 0, WHOLE, 0
    models = [model_of(items[0].checkpoint.member) for items in order.members]
    for model, items in zip(models, order.members, strict=True):
        for item in items:
            size += model.check(item.checkpoint)
            total += files + 2 * model.mlp
            done += 1
            tell("Checking", done, len(order.items))
    return Survey(total, size + SMALL * total, _notes(models))


def read_ahead(order: Order) -> None:
    """Have configs and headers on this machine, where a zoo is on another, before they are asked for one by one."""
    files = order.zoo.files
    files.ahead((lambda items=items: items[0].checkpoint.member.config for items in order.members), "Reading configs")
    files.ahead((item.checkpoint.header for item in order.items), "Reading headers")


def _notes(models: list[Model]) -> tuple[str, ...]:
    notes = []
    if mlp := sum(model.mlp for model in models):
        notes.append(
            f"{mlp:,} of {counted(len(models), 'member')} with an MLP head, which no stock model has: exported as the "
            "backbone without a head, the head in head.safetensors, and a README.md that says how to put it on."
        )
    if contrastive := sum(_is_contrastive(model) for model in models):
        notes.append(
            f"{counted(contrastive, 'member')} trained contrastively: the outputs of their heads are no classes."
        )
    return tuple(notes)


def _is_contrastive(model: Model) -> bool:
    hyper = model.recipe.get("hyperparameters")
    return isinstance(hyper, dict) and hyper.get("task") == "contrastive"

"""What an export of models will be, from configs and headers: sizes, and that every file is the model of its config."""

from vitzoo.sharing.exporting.contract import Order, Survey, Tell
from vitzoo.sharing.exporting.model import model_of
from vitzoo.zoo import safetensors_io
from vitzoo.zoo.layout import WEIGHTS

SMALL = 4_000  # bytes of a small file, about


def survey_models(order: Order, tell: Tell, files: int) -> Survey:
    """Check that every checkpoint is a model; ``files`` is how many a directory gets, two more with an MLP head."""
    done, total, size, mlp, contrastive = 0, 2, 0, 0, 0
    for items in order.members:
        model = model_of(items[0].checkpoint.member)
        for item in items:
            path = item.checkpoint.path / WEIGHTS
            model.check(safetensors_io.read_header(path), path)
            size += path.stat().st_size
            total += files + 2 * model.mlp
            done += 1
            tell("Checking", done, len(order.items))
        mlp += model.mlp
        contrastive += _is_contrastive(model.recipe)
    notes = []
    if mlp:
        notes.append(
            f"{mlp:,} of {len(order.members):,} members have an MLP head, which no stock model has: they become the "
            "backbone without a head, the head in head.safetensors, and a README.md that says how to put it on."
        )
    if contrastive:
        notes.append(f"{contrastive:,} members were trained contrastively: the outputs of their heads are no classes.")
    return Survey(total, size + SMALL * total, tuple(notes))


def _is_contrastive(recipe: object) -> bool:
    hyper = recipe.get("hyperparameters") if isinstance(recipe, dict) else None
    return isinstance(hyper, dict) and hyper.get("task") == "contrastive"

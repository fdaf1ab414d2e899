"""The card of a member that has a repository of its own: metadata that joins the hub's tree of models, and a text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vitzoo.analysis.levels import text
from vitzoo.analysis.tables import escape
from vitzoo.analysis.words import counted, listed, percent
from vitzoo.model.timm_names import ARGUMENTS, LINEAR
from vitzoo.sharing.publishing import licences
from vitzoo.sharing.publishing.address import Address
from vitzoo.sharing.readme.about import is_accuracy
from vitzoo.sharing.readme.factors import factors
from vitzoo.sharing.readme.loading import python
from vitzoo.sharing.readme.mark import marked
from vitzoo.sharing.readme.markdown import code, table
from vitzoo.zoo.layout import FINETUNING, GROWN, MERGING, PRETRAINING, WEIGHTS

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

Row = Mapping[str, Any]
TAGS = ("image-classification", "vision-transformer", "model-zoo", "vitzoo")
#: Data sets that the hub has, by the names they have there.
DATASETS = {
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "imagenet": "ILSVRC/imagenet-1k",
    "tiny-imagenet": "zh-plus/tiny-imagenet",
}
STOCK = tuple(name for name in ARGUMENTS if name != "head_hidden")
METRICS = ("test_acc", "train_acc_clean", "test_loss", "train_loss_clean")
ENTRY = "import vitzoo.model.timm_entry  # registers the MLP head"
_MLP = (
    "Its head is an MLP (Linear, ReLU, Linear), which is no part of timm's models: without vitzoo's entry, timm does "
    "not know the architecture."
)
_STOCK = "A stock model takes the same weights once it has that head:"
_PROJECTION = "Its head is the projection of the contrastive task: the outputs are no classes."
_VIEWS = "Accuracy of a contrastive task: share of views whose most similar other view in the batch is their partner."


@dataclass(frozen=True)
class Model:
    """A member as a repository: its last row of the catalogue, its address, and what it came from.

    relation is ``finetune`` or ``merge``, and ``bases`` are the addresses of parent or ingredients. arguments are
    timm's for the model, as its config has them.
    """

    row: Row
    address: Address
    zoo: Address
    licence: str
    bases: tuple[Address, ...] = ()
    relation: str | None = None
    children: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    endpoint: str = "https://huggingface.co"

    @property
    def is_classifier(self) -> bool:
        """Whether its outputs are classes of its data set."""
        return self.row.get("task") in ("supervised", None)


def card(m: Model) -> str:
    """Return README.md of a member's repository."""
    return marked(_text(m), _metadata(m))


def _metadata(m: Model) -> str:
    from huggingface_hub import ModelCardData

    row, more = m.row, dict[str, Any](licences.metadata(m.licence))
    if m.bases:
        ids = [base.id for base in m.bases]
        more |= {"base_model": ids if m.relation == "merge" else ids[0], "base_model_relation": m.relation}
    if known := DATASETS.get(str(row.get("dataset"))):
        more["datasets"] = [known]
    if results := _results(row):
        more |= {"model_name": m.address.name, "eval_results": results}
    return ModelCardData(
        **more,
        library_name="timm" if row.get("head") != "mlp" else "vitzoo",  # stock timm does not know the head
        pipeline_tag="image-classification" if m.is_classifier else "image-feature-extraction",
        tags=list(TAGS if m.is_classifier else TAGS[1:]),
    ).to_yaml()


def _results(row: Row) -> "list[EvalResult]":
    """Return what the card's model-index says: test accuracy and loss of a classifier."""
    from huggingface_hub import EvalResult

    if not is_accuracy(row):
        return []
    source = str(row.get("dataset") or "unknown")
    return [
        EvalResult(
            task_type="image-classification",
            dataset_type=DATASETS.get(source, source),
            dataset_name=source,
            dataset_split="test",
            metric_type=kind,
            metric_value=row[column],
            metric_name=f"test {kind}",
        )
        for kind, column in (("accuracy", "test_acc"), ("loss", "test_loss"))
        if isinstance(row.get(column), float)
    ]


def _text(m: Model) -> str:
    parts = [f"# {escape.markdown(m.row['member'])}", _lead(m), _use(m), "## Factors", _factors(m.row)]
    if metrics := _metrics(m.row):
        parts += ["## Metrics", metrics]
    parts += ["## Licence", _licence(m)]
    return "\n\n".join(parts) + "\n"


def _lead(m: Model) -> str:
    row, zoo = m.row, f"[{m.zoo.id}]({m.endpoint}/datasets/{m.zoo.id})"
    said = [f"{_origin(m)}. It is a member of the zoo {zoo}, which has the checkpoints of its training."]
    if row["stage"] in GROWN:
        said.append(f"These are the weights of epoch {row['epoch']}, its last.")
    if row["status"] != "finished":
        said.append(f"Its status is {row['status']}.")
    if m.children:
        said.append(f"{counted(m.children, 'member')} of the zoo began with its weights.")
    said.append(f"Its id is {code(row['id'])}, the digest of its weights {code(row['sha256'])}.")
    return " ".join(said)


def _origin(m: Model) -> str:
    row = m.row
    came = f" from {listed(_link(m, base) for base in m.bases)}" if m.bases else ""
    if row["stage"] == MERGING:
        return f"Merged{came} by {code(str(row['method']))}"
    data = f" on {code(str(row['dataset']))}" if row.get("dataset") else ""
    how = "Pre-trained" if row["stage"] == PRETRAINING else "Fine-tuned"
    task = "" if m.is_classifier else f" ({escape.markdown(str(row['task']))})"
    return f"{how}{task}{data}{came}"


def _link(m: Model, other: Address) -> str:
    return f"[{escape.markdown(other.name)}]({m.endpoint}/{other.id})"


def _use(m: Model) -> str:
    lines = ["import timm", *([ENTRY] if m.row.get("head") == "mlp" else [])]
    lines += ["", f'model = timm.create_model("hf-hub:{m.address.id}", pretrained=True)']
    shown = python(lines)
    if m.row.get("head") == "mlp":
        return "\n\n".join([_MLP, shown, *_in_stock_timm(m)])
    return shown if m.is_classifier else f"{_PROJECTION}\n\n{shown}"


def _in_stock_timm(m: Model) -> list[str]:
    """Show how stock timm opens a member with an MLP head; nothing if its config does not say enough."""
    stock = {name: m.arguments.get(name) for name in STOCK}
    sizes = [stock["embed_dim"], m.row.get("head_hidden"), m.row.get("head_outputs")]
    if not all(type(number) in (int, float) for number in (*stock.values(), *sizes)):
        return []
    width, hidden, outputs = sizes
    told = ", ".join(f"{name}={number}" for name, number in stock.items())
    lines = [
        "import timm",
        "from huggingface_hub import hf_hub_download",
        "from safetensors.torch import load_file",
        "from torch.nn import Linear, ReLU, Sequential",
        "",
        f'model = timm.create_model("{LINEAR}", num_classes=0, {told})',
        f"model.head = Sequential(Linear({width}, {hidden}), ReLU(), Linear({hidden}, {outputs}))",
        f'model.load_state_dict(load_file(hf_hub_download("{m.address.id}", "{WEIGHTS}")))',
    ]
    return [_STOCK, python(lines)]


def _factors(row: Row) -> str:
    stage = row["stage"] if row["stage"] in GROWN else FINETUNING
    known = {factor.name: getattr(factor, stage) for factor in factors([{**row, "stage": stage}])}
    cells = [[name, escape.markdown(", ".join(values))] for name, values in known.items()]
    return f"{table(['factor', 'value'], cells)}\n\nEvery factor is in `config.json`, under `recipe`."


def _metrics(row: Row) -> str:
    known = {name: row[name] for name in METRICS if isinstance(row.get(name), int | float)}
    if not known:
        return ""
    cells = [[name, text(round(v, 4)) if "loss" in name else f"{percent(v)} %"] for name, v in known.items()]
    shown = table(["metric", "value"], cells, right=["value"])
    return shown if is_accuracy(row) else f"{shown}\n\n{_VIEWS}"


def _licence(m: Model) -> str:
    licence = licences.known(m.licence)
    return f"[{licence.name}]({licence.url})." if licence else f"{escape.markdown(m.licence)}; see the zoo's `LICENSE`."

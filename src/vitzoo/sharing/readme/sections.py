"""The parts of a text about a zoo, in Markdown. Every number comes from the catalogue, by ``About``."""

from collections.abc import Iterable

from vitzoo.analysis.levels import text
from vitzoo.analysis.tables import escape
from vitzoo.analysis.words import counted, listed, percent, size
from vitzoo.sharing.readme.about import About, Backbone, is_accuracy
from vitzoo.sharing.readme.accuracy import Level
from vitzoo.sharing.readme.markdown import code, table
from vitzoo.zoo.layout import FINETUNING, MERGING, PRETRAINING

BACKBONES = 25  # that are listed; of more, the first ones
_STAGE = {PRETRAINING: "pre-training", FINETUNING: "fine-tuning", MERGING: "merging"}
_DONE = {PRETRAINING: "pre-trained", FINETUNING: "fine-tuned", MERGING: "merged"}


def lead(a: About) -> str:
    """Say what the zoo is, in a paragraph."""
    name = escape.markdown(a.name)
    if not a.total:
        return f"{name} is a zoo of vision transformers that has no checkpoint yet."
    parts = [_trained(a, stage) for stage in a.members]
    return (
        f"{name} is a zoo of vision transformers: a population of {counted(a.total, 'model')}, {listed(parts)}. Each "
        "comes with checkpoints of its training, the factors that generated it, its parent and its metrics: "
        f"{counted(a.checkpoints, 'checkpoint')}, {size(a.bytes)}, as safetensors under timm's names."
    )


def glance(a: About) -> str:
    """Return the table of what there is and how much."""
    rows = [("members", _members(a)), ("checkpoints", _checkpoints(a)), ("size", size(a.bytes))]
    if a.parameters:
        low, high = a.parameters
        rows.append(("parameters of a member", f"{low:,}" if low == high else f"{low:,} to {high:,}"))
    rows.append(("status", listed(f"{count:,} {status}" for status, count in a.statuses.items()) or "empty"))
    if computed := _computed(a):
        rows.append(("computed", computed))
    rows.append(("licence", escape.markdown(a.licence)))
    return table(["", ""], [[f"**{name}**", value] for name, value in rows])


def generating(a: About) -> str:
    """Return the table of the factors; those that vary in a stage are bold there."""
    rows = [[f.name, _values(f.pretraining), _values(f.finetuning)] for f in a.factors]
    return table(["factor", "pre-training", "fine-tuning"], rows)


def accuracy(a: About) -> str:
    """Return how accurate the members are, by factor; empty if nothing is known."""
    if not a.accuracies:
        return ""
    every, *levels = a.accuracies
    data = listed(map(escape.markdown, a.datasets[a.judged]))
    spread = f" ± {percent(every.std)}" if every.std is not None else ""
    first = (
        f"Test accuracy of the {counted(every.n, f'finished {_DONE[a.judged]} member')}"
        f"{f' on {data}' if data else ''} at the last checkpoint: {percent(every.mean)}{spread} % (mean ± standard "
        f"deviation), from {percent(every.low)} to {percent(every.high)} %."
    )
    if not levels:
        return first
    header = ["factor", "level", "n", "test accuracy, %", "min – max, %"]
    return f"{first}\n\n{table(header, _levels(levels), right=header[2:])}"


def lineage(a: About) -> str:
    """Say who descends from whom, and list the backbones."""
    said = []
    if a.members.get(FINETUNING):
        said.append(
            "Every fine-tuned member began with the weights of a pre-trained one, its parent. Who came from whom is "
            "recorded with digests, for members and for single checkpoints: `parent_member`, `parent_sha256`, "
            "`from_member`, `from_epoch` and `from_sha256` in the catalogue, `vitzoo.open(…).lineage()` as a graph."
        )
    if a.merged:
        methods = listed(f"{count:,} by {code(method)}" for method, count in sorted(a.merged.items()))
        said.append(f"Merged members ({methods}) name their ingredients with digests in `config.json`.")
    if a.backbones:
        said.append(_backbones(a.backbones))
    return "\n\n".join(said)


def imported(a: About) -> str:
    """Say that members were trained elsewhere; empty if none was."""
    if not a.layouts:
        return ""
    return (
        f"Members were trained elsewhere and imported from the layout {listed(map(code, a.layouts))}. Under "
        "`imported`, their `config.json` has what their source declares, word for word; their recipe has the factors "
        "that took effect, as far as they are known."
    )


def _trained(a: About, stage: str) -> str:
    number = a.members[stage]
    if stage == MERGING:
        return f"{number:,} merged from others"
    data = listed(map(escape.markdown, a.datasets[stage]))
    tasks = [f"{count:,} {escape.markdown(task)}" for task, count in a.tasks.items() if task != "unknown"]
    how = f" ({listed(tasks)})" if stage == PRETRAINING and len(tasks) > 1 else ""
    of = " from these" if stage == FINETUNING and a.members.get(PRETRAINING) else ""
    return f"{number:,} {_DONE[stage]}{how}{of}" + (f" on {data}" if data else "")


def _members(a: About) -> str:
    return f"{a.total:,}: " + listed(f"{count:,} {_DONE[stage]}" for stage, count in a.members.items())


def _checkpoints(a: About) -> str:
    grown = [(stage, ends) for stage, ends in a.epochs.items() if stage != MERGING]
    ends = listed(f"{first} to {last} of {_STAGE[stage]}" for stage, (first, last) in sorted(grown, reverse=True))
    before = " (0: before training)" if any(first == 0 for _, (first, _) in grown) else ""
    return f"{a.checkpoints:,}" + (f", of epochs {ends}{before}" if ends else "")


def _computed(a: About) -> str:
    e = a.execution
    words = [f"on {e['device']}" if isinstance(e.get("device"), str) else ""]
    words += [f"in {e['precision']}" if isinstance(e.get("precision"), str) else ""]
    words += [f"with {e['kernels']} kernels" if isinstance(e.get("kernels"), str) else ""]
    return escape.markdown(" ".join(word for word in words if word))


def _values(values: tuple[str, ...]) -> str:
    shown = ", ".join(map(escape.markdown, values))
    return f"**{shown}**" if len(values) > 1 else shown or "–"


def _levels(levels: Iterable[Level]) -> Iterable[list[str]]:
    before = None
    for level in levels:
        name, before = ("" if level.factor == before else f"**{level.factor}**"), level.factor
        spread = f" ± {percent(level.std)}" if level.std is not None else ""
        accuracy, ends = f"{percent(level.mean)}{spread}", f"{percent(level.low)} – {percent(level.high)}"
        yield [name, escape.markdown(level.level), f"{level.n:,}", accuracy, ends]


def _backbones(backbones: tuple[Backbone, ...]) -> str:
    shown = backbones[:BACKBONES]
    columns = [name for name in ("task", "seed", "batch_size") if any(b.row.get(name) is not None for b in shown)]
    header = ["backbone", *(name.replace("_", " ") for name in columns), "own test accuracy, %"]
    header += ["children", "their mean test accuracy, %"]
    rows = [
        [
            code(b.row["member"]),
            *(escape.markdown(text(b.row.get(name))) for name in columns),
            percent(b.row["test_acc"]) if is_accuracy(b.row) else "–",
            f"{b.children:,}",
            percent(b.accuracy) if b.accuracy is not None else "–",
        ]
        for b in shown
    ]
    said = [table(header, rows, right=["seed", "batch size", *header[-3:]])]
    if any(b.row.get("task") == "contrastive" for b in shown):
        said.append("A contrastive task has no classes, so its backbones have no accuracy of that kind.")
    if more := len(backbones) - len(shown):
        said.append(f"{counted(more, 'more backbone')} in the catalogue.")
    return "\n\n".join(said)

"""The card of a published zoo: metadata for the hub, and a text for whoever lands on its page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vitzoo.analysis.tables import escape
from vitzoo.analysis.words import counted, listed
from vitzoo.sharing.publishing import citation, licences
from vitzoo.sharing.publishing.address import Address
from vitzoo.sharing.publishing.citation import Work
from vitzoo.sharing.publishing.pictures import Picture
from vitzoo.sharing.readme import loading, sections
from vitzoo.sharing.readme.about import About
from vitzoo.sharing.readme.mark import marked, metadata_of
from vitzoo.sharing.readme.markdown import code
from vitzoo.zoo.layout import BLUEPRINT, CATALOGUE

TAGS = (
    *("model-zoo", "weight-space-learning", "vision-transformer", "model-merging", "model-lineage"),
    *("timm", "safetensors", "vitzoo"),
)
_SIZES = (
    *((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")),
    (10_000_000, "1M<n<10M"),
)


@dataclass(frozen=True)
class Subject:
    """What a card speaks of.

    model: the address of the repository of one member, if each has one. own_citation: whether a person wrote
    CITATION.cff.
    """

    about: About
    address: Address
    work: Work
    pictures: Sequence[Picture] = ()
    where: str | None = None
    model: Address | None = None
    endpoint: str = "https://huggingface.co"
    own_citation: bool = False


def card(s: Subject, own: str = "") -> str:
    """Return README.md; ``own`` is a README that a person wrote, which is kept with its metadata or given ours."""
    front = _metadata(s)
    if own:
        return own if metadata_of(own) else f"---\n{front}\n---\n{own}"
    return marked(_text(s), front)


def size_category(number: int) -> str:
    """Return the hub's category of a number of rows.

    >>> size_category(999), size_category(2090)
    ('n<1K', '1K<n<10K')
    """
    return next((name for limit, name in _SIZES if number < limit), "n>10M")


def _metadata(s: Subject) -> str:
    from huggingface_hub import DatasetCardData

    licence: dict[str, Any] = licences.metadata(s.about.licence)
    files = [{"split": "checkpoints", "path": CATALOGUE}]
    data = DatasetCardData(
        **licence,
        pretty_name=escape.printable(s.about.name),
        size_categories=[size_category(s.about.checkpoints)],
        tags=list(TAGS),
        configs=[{"config_name": "catalogue", "data_files": files, "default": True}],
    )
    return data.to_yaml()


def _text(s: Subject) -> str:
    a = s.about
    hero, *others = [_image(picture) for picture in s.pictures] or [""]
    parts = [f"# {escape.markdown(a.name)}", sections.lead(a), _part(s), hero, sections.glance(a), *_use(s)]
    if a.factors:
        parts += ["## Generating factors", "What varies is bold.", sections.generating(a)]
    if judged := sections.accuracy(a):
        parts += ["## How accurate they are", judged, *others]
    if related := sections.lineage(a):
        parts += ["## Lineage", related]
    parts += ["## What lies where", loading.tree(), "## What is not in it", _missing(s)]
    parts += ["## How it came about", _grown(s), "## Licence and citation", _licence(s)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _image(picture: Picture) -> str:
    return f"![{escape.markdown(picture.title)}]({picture.place})"


def _part(s: Subject) -> str:
    if not s.about.left:
        return ""
    return (
        f"This is a part of the zoo: the members that fit {code(s.where or '')}, and what they came from. "
        f"{counted(s.about.left, 'other member')} of it {'is' if s.about.left == 1 else 'are'} not here."
    )


def _use(s: Subject) -> list[str]:
    place = f"hf://datasets/{s.address.id}"
    told = [
        "## Use",
        f"The table that the hub shows is {code(CATALOGUE)}, one row per checkpoint. With vitzoo, it is read first, "
        "and weights when they are asked for:",
        loading.opened(s.about, place),
    ]
    if s.about.example:
        told += [
            f"Without vitzoo, a checkpoint opens in timm. {loading.heads(s.about)}",
            loading.in_timm(
                s.about,
                [
                    f"path = {loading.quoted(s.about.example['path'])}",
                    f'root = snapshot_download("{s.address.id}", repo_type="dataset", allow_patterns=[f"{{path}}/*"])',
                    'folder = f"{root}/{path}"',
                ],
                ["from huggingface_hub import snapshot_download"],
            ),
        ]
    told += [
        "All of it, and a check of every byte:",
        f"```bash\nhf download {s.address.id} --repo-type dataset --local-dir {s.address.name}\n"
        f"vitzoo verify {s.address.name} --deep\n```",
    ]
    if s.model:
        told.append(
            f"Each member is a model repository of its own, too, joined by `base_model`, such as "
            f"[{escape.markdown(s.model.name)}]({s.endpoint}/{s.model.id})."
        )
    return told


def _missing(s: Subject) -> str:
    a = s.about
    data = sorted({name for names in a.datasets.values() for name in names})
    lines = [f"Images: those of {listed(map(code, data))} come from their own sources."] if data else []
    lines.append("States of optimizers: members can be fine-tuned further, but their own training cannot go on.")
    if growing := a.statuses.get("growing"):
        lines.append(f"The end of {counted(growing, 'training')}: these members are unfinished.")
    if diverged := a.statuses.get("diverged"):
        lines.append(f"The end of {counted(diverged, 'training')} that diverged; the checkpoints before that are here.")
    if s.where is None:
        lines.append("What was measured of the zoo (`measures/`), which can be computed again.")
    return "\n".join(f"* {line}" for line in lines)


def _grown(s: Subject) -> str:
    if s.about.layouts:
        return sections.imported(s.about)
    return (
        f"It was grown with vitzoo from {code(BLUEPRINT)}, which is here: every trained member is a cell of its grid. "
        f"In another directory it grows again:\n\n```bash\nvitzoo grow {BLUEPRINT} --zoo {s.address.name}-again\n```"
    )


def _licence(s: Subject) -> str:
    licence = licences.known(s.about.licence)
    named = f"[{licence.name}]({licence.url})" if licence else escape.markdown(s.about.licence)
    first = f"{named}; see `LICENSE`."
    if s.own_citation:
        return f"{first} How to cite it says `CITATION.cff`."
    return f"{first}\n\n```bibtex\n{citation.bibtex(s.work, s.address.id)}\n```"

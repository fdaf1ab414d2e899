"""The dataset repository of a zoo: its tree, and what the hub and other readers need beside it."""

import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from vitzoo.analysis.words import counted
from vitzoo.errors import IntegrityError
from vitzoo.sharing.publishing import citation, croissant, dataset_card, licences
from vitzoo.sharing.publishing.address import Address
from vitzoo.sharing.publishing.catalogue import Catalogue
from vitzoo.sharing.publishing.choice import Choice
from vitzoo.sharing.publishing.citation import KEYWORDS, Work
from vitzoo.sharing.publishing.croissant import Head
from vitzoo.sharing.publishing.dataset_card import Subject
from vitzoo.sharing.publishing.pictures import pictures
from vitzoo.sharing.publishing.repository import File, Repository, made, of_member, plain
from vitzoo.sharing.readme.about import About, about
from vitzoo.sharing.readme.mark import is_ours
from vitzoo.zoo.layout import BLUEPRINT, CATALOGUE, FIGURES, ZOO_JSON
from vitzoo.zoo.regular import read_bytes
from vitzoo.zoo.strict_json import MAX_BYTES

CARD, LICENSE, CITATION, CROISSANT, ATTRIBUTES = (
    *("README.md", "LICENSE", "CITATION.cff"),
    *("croissant.json", ".gitattributes"),
)
MAX_FIGURE = 50_000_000  # bytes of a picture of a person's own
_ATTRIBUTES = "".join(
    f"*.{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in ("safetensors", "parquet", "png")
)


@dataclass(frozen=True)
class Place:
    """Where it goes and when: repository, address of the hub, day; members' own repositories by name, if they have."""

    address: Address
    endpoint: str
    day: date
    models: Mapping[str, Address] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The page of the dataset."""
        return f"{self.endpoint}/datasets/{self.address.id}"


def dataset(choice: Choice, catalogue: Catalogue, place: Place) -> Repository:
    """Return the repository of a zoo, or of the chosen part of it; the card comes first, and ``zoo.json`` last.

    What a person wrote (README.md, LICENSE, CITATION.cff, .gitattributes, figures) is taken as it is.
    """
    zoo, found = choice.zoo, about(choice.zoo, choice.names)
    work = _work(found, place)
    own = {name: _own(choice, name) for name in (CARD, LICENSE, CITATION, ATTRIBUTES)}
    drawn = pictures(zoo, choice.names)
    subject = Subject(
        about=found,
        address=place.address,
        work=work,
        pictures=drawn,
        where=choice.where,
        model=place.models.get(found.example["member"]) if found.example else None,
        endpoint=place.endpoint,
        own_citation=bool(own[CITATION]),
    )
    figures = {file.place: file for file in (*(made(p.place, p.png) for p in drawn), *_figures(choice))}
    head = [
        made(ZOO_JSON, read_bytes(zoo.path / ZOO_JSON, MAX_BYTES)),
        made(BLUEPRINT, read_bytes(zoo.path / BLUEPRINT, MAX_BYTES)),
        made(CATALOGUE, catalogue.parquet),
    ]
    metadata = croissant.metadata(_head(subject, place), head, catalogue.parquet)
    beside = {
        CARD: dataset_card.card(subject, own[CARD]),
        LICENSE: own[LICENSE] or licences.text(work.title, zoo.licence),
        CITATION: own[CITATION] or citation.cff(work),
        CROISSANT: json.dumps(metadata, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        ATTRIBUTES: own[ATTRIBUTES] or _ATTRIBUTES,
    }
    members = [file for member in choice.members for file in of_member(member)]
    small = [made(name, text) for name, text in beside.items()]
    return Repository("dataset", place.address, (*small, *figures.values(), *members, *reversed(head)))


def _own(choice: Choice, name: str) -> str:
    """Return what a person wrote, empty if nobody did; IntegrityError if it cannot be shown to others."""
    data = plain(choice.zoo.path / name)
    try:
        text = (data or b"").decode()
    except UnicodeDecodeError:
        raise IntegrityError(f"{choice.zoo.path / name} is no text in UTF-8. Write it anew.") from None
    return "" if is_ours(text) else text


def _figures(choice: Choice) -> Iterable[File]:
    """Yield the plain files in the zoo's own folder of figures."""
    folder = choice.zoo.path / FIGURES
    if not folder.is_dir() or folder.is_symlink():
        return
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if stat.S_ISREG(e.stat(follow_symlinks=False).st_mode))
    for name in names:
        if data := plain(folder / name, MAX_FIGURE):
            yield made(f"{FIGURES}/{name}", data)


def _work(a: About, place: Place) -> Work:
    return Work(
        title=f"{a.name}: a zoo of {counted(a.total, 'vision transformer')}",
        author=place.address.user,
        author_url=f"{place.endpoint}/{place.address.user}",
        url=place.url,
        licence=a.licence,
        day=place.day,
    )


def _head(s: Subject, place: Place) -> Head:
    from vitzoo.sharing.readme.sections import lead

    licence = licences.known(s.about.licence)
    return Head(
        name=s.about.name,
        description=lead(s.about),
        licence=licence.url if licence else f"{place.url}/blob/main/{LICENSE}",
        url=place.url,
        files=f"{place.url}/resolve/main",
        creator=place.address.user,
        creator_url=s.work.author_url,
        published=place.day.isoformat(),
        version=s.work.version,
        citation=citation.bibtex(s.work, place.address.id),
        keywords=KEYWORDS,
    )

"""Publish a zoo: check it, prepare its repositories, and write them to a folder or send them to the hub."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from vitzoo.sharing.exporting.staging import check_target, staged
from vitzoo.sharing.publishing import folder, limits, sound, upload
from vitzoo.sharing.publishing.address import Address
from vitzoo.sharing.publishing.catalogue import catalogue
from vitzoo.sharing.publishing.choice import choose
from vitzoo.sharing.publishing.dataset import Place, dataset
from vitzoo.sharing.publishing.models import models
from vitzoo.sharing.publishing.repository import File, Repository
from vitzoo.sharing.publishing.upload import Uploaded
from vitzoo.zoo import Zoo
from vitzoo.zoo.disk import silent
from vitzoo.zoo.files import Tell

DATASET, MODELS = "dataset", "models"  # folders of a dry run


@dataclass(frozen=True)
class Prepared:
    """The repositories, the dataset first; the models that have none, with reasons; members in the zoo that stay."""

    repositories: tuple[Repository, ...]
    left_out: tuple[str, ...] = ()
    left: int = 0


@dataclass(frozen=True)
class Written:
    """What a dry run wrote: the folder of each repository, and how many files of weights had to be copied."""

    folders: tuple[Path, ...]
    copied: int


def prepare(
    zoo: Zoo,
    address: Address,
    *,
    day: date,
    where: str | None = None,
    with_models: bool = False,
    tell: Tell = silent,
) -> Prepared:
    """Check a zoo and prepare all that is published of it; nothing is written or sent.

    ``where`` chooses members, see ``choose``; ``day`` is the date of publication. BusyError if the zoo is being grown,
    IntegrityError if it is damaged, InputError if nothing fits, the hub would refuse it, or its licence has no text.

    >>> import vitzoo
    >>> from vitzoo.sharing.publishing.address import parse
    >>> prepare(vitzoo.open("zoos/nano"), parse("me/nano"), day=date.today())  # doctest: +SKIP
    """
    from huggingface_hub.constants import ENDPOINT

    zoo.files.check_here("published")
    sound.check_idle(zoo)
    choice = choose(zoo, where)
    sound.check_whole(choice, lambda done, total: tell("Checking", done, total))
    table = catalogue(choice)
    own, left_out = models(choice, table.rows, address, ENDPOINT) if with_models else ({}, [])
    place = Place(address, ENDPOINT, day, {name: repository.address for name, repository in own.items()})
    repositories = (dataset(choice, table, place), *own.values())
    for repository in repositories:
        limits.check(repository)
    return Prepared(repositories, tuple(left_out), len(zoo.members()) - len(choice.members))


def write(prepared: Prepared, zoo: Zoo, out: Path, tell: Tell = silent) -> Written:
    """Write the repositories to a new folder, complete or not at all; the dataset is a zoo there.

    InputError if the folder is not empty, or within the zoo.
    """
    check_target(out, zoo.path)
    total, done, copied, places = sum(r.bytes for r in prepared.repositories), 0, 0, []

    def placed(file: File) -> None:
        nonlocal done
        done += file.size
        tell("Writing", done, total)

    with staged(out) as temporary:
        for repository in prepared.repositories:
            place = Path(DATASET) if repository.kind == "dataset" else Path(MODELS) / repository.address.name
            copied += folder.fill(temporary / place, repository.files, placed)
            places.append(out / place)
    return Written(tuple(places), copied)


def publish(prepared: Prepared, private: bool = False, tell: Tell = silent) -> list[Uploaded]:
    """Send the repositories to the hub; repeat the call to go on after a failure."""
    upload.check_login()
    return upload.upload(prepared.repositories, private, tell)

"""Where images come from: one file for each source, and this table."""

from vitzoo.data.sources import cifar, digits, folder, fractals, imagenet, npz, tiny_imagenet
from vitzoo.data.sources.base import Source
from vitzoo.errors import DataError, nearest

PLAIN: dict[str, Source] = {
    "digits": digits.SOURCE,
    "fractals": fractals.SOURCE,
    "cifar10": cifar.CIFAR10,
    "cifar100": cifar.CIFAR100,
    "imagenet": imagenet.SOURCE,
    "tiny-imagenet": tiny_imagenet.SOURCE,
}
WITH_PATH: dict[str, Source] = {
    "folder": folder.SOURCE,
    "npz": npz.SOURCE,
}


def find(name: str) -> tuple[Source, str]:
    """Return the source of that name and the path after its colon. Raises DataError for an unknown name.

    >>> find("npz:mine.npz")[1]
    'mine.npz'
    """
    kind, colon, argument = name.partition(":")
    table = WITH_PATH if colon else PLAIN
    if kind not in table or (colon and not argument):
        known = [*PLAIN, *(f"{each}:PATH" for each in WITH_PATH)]
        raise DataError(f"there is no data source {name!r}; known are {', '.join(known)}.{nearest(name, known)}")
    return table[kind], argument

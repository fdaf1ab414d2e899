"""Names that data sets go by, and the sources that a zoo knows."""

import re

_SOURCES = {
    "cifar10": ("cifar10",),
    "cifar100": ("cifar100",),
    "imagenet": (
        "imagenet",
        "imagenet1k",
        "imagenet2012",
        "ilsvrc2012",
        "ilsvrc",
        "i1k",
        "in1k",
        "ilsvrc2012imagenet1k",
    ),
    "tiny-imagenet": ("tinyimagenet", "tinyimagenet200"),
    "digits": ("digits",),
}
_KNOWN = {name: source for source, names in _SOURCES.items() for name in names}


def source(name: object) -> str | None:
    """Return the source that a name stands for, ``None`` if a zoo knows none.

    An organisation in front does not count, so names of the hub are known, too.

    >>> source("CIFAR-100"), source("uoft-cs/cifar100"), source("ILSVRC/imagenet-1k"), source("oxford_iiit_pet")
    ('cifar100', 'cifar100', 'imagenet', None)
    """
    if not isinstance(name, str):
        return None
    plain = re.sub(r"[^a-z0-9]", "", name.lower().rpartition("/")[2])
    return _KNOWN.get(plain)

"""``zoo.json``: what is said of a zoo as a whole."""

from pathlib import Path
from typing import Any

from vitzoo.errors import IntegrityError
from vitzoo.zoo.strict_json import check_object
from vitzoo.zoo.strict_json import read as read_json

ZOO_KEYS = ("format", "name", "licence", "execution")


def read(path: Path) -> dict[str, Any]:
    """Read it from a file; IntegrityError as ``check``."""
    return check(read_json(path), path)


def check(value: Any, where: object) -> dict[str, Any]:
    """Return the value if it has the form of ``zoo.json``, in a known format; IntegrityError otherwise."""
    found = check_object(value, ZOO_KEYS, where)
    texts = all(isinstance(found[key], str) and found[key].isprintable() for key in ("name", "licence"))
    if not texts or not isinstance(found["execution"], dict):
        raise IntegrityError(f"{where} has a name, licence or execution of the wrong type.")
    return found

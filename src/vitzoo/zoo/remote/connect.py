"""Opening a zoo at an address: ``zoo.json`` and the catalogue first, all else when it is asked for."""

from typing import TYPE_CHECKING

from vitzoo.errors import InputError
from vitzoo.zoo import zoo_json
from vitzoo.zoo.layout import CATALOGUE, ZOO_JSON
from vitzoo.zoo.regular import read_bytes
from vitzoo.zoo.remote import address, mirror
from vitzoo.zoo.remote.place import MissingError, Place, not_installed
from vitzoo.zoo.strict_json import MAX_BYTES, parse

if TYPE_CHECKING:
    from vitzoo.zoo.store import Zoo


def open_zoo(text: str) -> "Zoo":
    """Open the zoo at an address.

    Raises:
        InputError: it is no address, there is no zoo, it may not be read, or a package is missing.
        IntegrityError: what is there is no zoo that this version could have written.
        VitzooError: the server cannot be reached.
    """
    from vitzoo.zoo.remote.remote import Remote
    from vitzoo.zoo.store import Zoo

    parsed = address.parse(text)
    if parsed.scheme == "file":
        return Zoo.open(address.directory(parsed))
    place = Place(_pinned(parsed))
    try:
        root = mirror.arrive(place)
    except MissingError as error:
        raise InputError(
            f"{text} is not a zoo that can be read from afar: it has no {error.path}. Give the address of the folder "
            f"that holds {ZOO_JSON} and {CATALOGUE}; `vitzoo ls` writes the latter where the zoo lies."
        ) from None
    head = zoo_json.check(parse(read_bytes(root / ZOO_JSON, MAX_BYTES), place.url(ZOO_JSON)), place.url(ZOO_JSON))
    return Zoo(root, head, Remote(place, root))


def _pinned(parsed: address.Address) -> address.Address:
    """Return the address of what does not change while it is read, where there is such an address."""
    if parsed.scheme != "hf":
        return parsed
    from vitzoo.zoo.remote import hub

    try:
        return hub.pinned(parsed)
    except ImportError as error:
        raise not_installed(parsed, error) from None

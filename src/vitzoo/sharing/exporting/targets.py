"""What a zoo can be exported to, by name."""

from vitzoo.errors import InputError, nearest
from vitzoo.sharing.exporting import huggingface, npz, timm
from vitzoo.sharing.exporting.contract import Exporter

OFFICIAL = "official"
_OURS = {exporter.name: exporter for exporter in (timm.EXPORTER, huggingface.EXPORTER, npz.EXPORTER)}
NAMES = (OFFICIAL, *_OURS)


def find(name: str) -> Exporter:
    """Return the target of that name. InputError names the nearest."""
    if name == OFFICIAL:
        from vitzoo.sharing.official.export import EXPORTER

        return EXPORTER
    if name not in _OURS:
        raise InputError(f"There is no target {name!r}; use {', '.join(NAMES)}.{nearest(name, NAMES)}")
    return _OURS[name]

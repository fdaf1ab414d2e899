"""Which model a text in a table, card or config means: its place in the folder, or the end of its place.

A path and a model's key mean the same thing if one ends like the other: ``/home/me/runs/a.pt``, ``runs/a.pt`` and ``a``
all mean ``runs/a.pt``, ``other/a.pt`` does not. What two models end like means neither.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

#: What may stand behind a model's place without changing which model it is.
ENDINGS = (".safetensors", ".pt", ".pth", ".bin", ".npz")
INSIDE = ("model.safetensors", "pytorch_model.bin", "config.json")

Parts = tuple[str, ...]


@dataclass
class Places:
    """The keys of models, found again by any text that means one of them."""

    keys: frozenset[str]
    _by_end: dict[str, list[tuple[Parts, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Iterable[str], root: str) -> "Places":
        """Take the keys of all models; ``root`` is the folder's own name, which a model in it directly goes by."""
        places = cls(frozenset(keys))
        for key in sorted(places.keys):
            parts = _stem(_parts(root if key == "." else key))
            places._by_end.setdefault(parts[-1], []).append((parts, key))
        return places

    def find(self, text: str, of_hub: bool = False) -> list[str]:
        """Return the keys that a text means: none, one, or several if it does not tell them apart.

        A name of the hub may do without its organisation, which a folder of downloads need not have.

        >>> places = Places.of(["runs/a.pt", "runs/b", "more/b"], "zoo")
        >>> places.find("/home/me/runs/a.pt"), places.find("a"), places.find("other/a"), places.find("b")
        (['runs/a.pt'], ['runs/a.pt'], [], ['more/b', 'runs/b'])
        >>> places.find("./runs/b/model.safetensors"), places.find("org/a"), places.find("org/a", of_hub=True)
        (['runs/b'], [], ['runs/a.pt'])
        """
        parts = _parts(text)
        if (exact := "/".join(parts)) in self.keys:
            return [exact]
        found = self._agreeing(_stem(parts))
        if not found and of_hub and len(parts) == 2:
            found = self._agreeing(_stem(parts[1:]))
        return found

    def _agreeing(self, parts: Parts) -> list[str]:
        """Keys that end as the parts do, or whose end the parts are; of them those that agree the longest."""
        agreeing: dict[str, int] = {}
        for own, key in self._by_end.get(parts[-1], ()) if parts else ():
            common = min(len(parts), len(own))
            if parts[-common:] == own[-common:]:
                agreeing[key] = common
        most = max(agreeing.values(), default=0)
        return [key for key, common in agreeing.items() if common == most]


def _parts(text: str) -> Parts:
    parts = tuple(part for part in text.strip().replace("\\", "/").split("/") if part not in ("", "."))
    return parts[:-1] if len(parts) > 1 and parts[-1] in INSIDE else parts


def _stem(parts: Parts) -> Parts:
    if not parts:
        return parts
    ending = next((ending for ending in ENDINGS if parts[-1].endswith(ending) and parts[-1] != ending), "")
    return (*parts[:-1], parts[-1].removesuffix(ending))

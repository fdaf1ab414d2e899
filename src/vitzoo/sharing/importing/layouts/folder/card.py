"""The model card of the hub: the YAML in front of ``README.md``, which names the base model and the data sets."""

from typing import Any

from vitzoo.blueprint import reader
from vitzoo.errors import BlueprintError, InputError
from vitzoo.sharing import foreign_json
from vitzoo.sharing.importing.layouts.folder.facts import Facts
from vitzoo.sharing.importing.layouts.folder.tree import Folder
from vitzoo.sharing.importing.tables import datasets
from vitzoo.sharing.importing.tables.values import shown

README = "README.md"
MAX_CARD = 4_000_000
#: What is kept word for word; the rest of a card is prose and results.
_KEPT = ("base_model", "base_model_relation", "datasets", "license", "license_name", "license_link", "tags")


def add(facts: Facts, folder: Folder) -> None:
    """Add what the card in a folder says, if it has one; a card that cannot be read is noted."""
    if README not in folder.others:
        return
    try:
        said = front_matter(foreign_json.read_text(folder.path / README, MAX_CARD))
    except (InputError, BlueprintError, UnicodeDecodeError):
        facts.notes.append(f"what stands in front of its {README} is not plain YAML and is left out")
        return
    kept = {name: said[name] for name in _KEPT if said.get(name) is not None}
    if not kept:
        return
    facts.declared["card"] = kept
    _add_parent(facts, kept)
    trained_on = _list(kept.get("datasets"))
    source = datasets.source(trained_on[0]) if len(trained_on) == 1 else None
    if source and not facts.get("dataset", "source"):
        facts.set("dataset", "source", source)


def front_matter(data: bytes) -> dict[str, Any]:
    r"""Return what stands between the two lines of dashes at a card's beginning, nothing if there are none.

    Raises what a YAML that is no plain data raises, a BlueprintError.

    >>> front_matter(b"---\nbase_model: me/vit\n---\n# My model\n")
    {'base_model': 'me/vit'}
    """
    lines = data.decode("utf-8-sig").splitlines()
    if not lines or lines[0].rstrip() != "---":
        return {}
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if end is None:
        return {}
    said = reader.read("\n".join(lines[1:end]), README)
    return said if isinstance(said, dict) else {}


def _add_parent(facts: Facts, said: dict[str, Any]) -> None:
    parents = _list(said.get("base_model"))
    relation = said.get("base_model_relation", "finetune")
    if len(parents) > 1 or relation == "merge":
        facts.notes.append(f"it was made of {len(parents)} models, by its card; none of them counts as its parent")
    elif parents and relation == "finetune":
        facts.descend(parents[0], of_hub=True)
    elif parents:
        facts.notes.append(f"its card calls it {shown(relation)} of {shown(parents[0])}, which is no fine-tuning")


def _list(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str) and text]

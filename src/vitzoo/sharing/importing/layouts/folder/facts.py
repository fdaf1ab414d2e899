"""What a config, a card, a trainer's state and a table say of one model."""

from dataclasses import dataclass, field
from typing import Any

from vitzoo.sharing.importing.tables.values import shown

MAX_NAME = 500  # characters of what a parent is called
LAST = None  # stands for the last epoch, whichever that will be

Metrics = dict[int | None, dict[str, float | int | None]]


@dataclass
class Facts:
    """Factors in the groups of a recipe, metrics by epoch, the parent as the source calls it, and what was said.

    ``parent_of_hub`` says that the parent is called by its name on the hub, ``organisation/name``. ``epoch`` is that of
    the model's only checkpoint, ``parent_epoch`` that of the parent it came from, where the source says so.
    """

    recipe: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=dict)
    parent: str | None = None
    parent_of_hub: bool = False
    parent_epoch: int | None = None
    epoch: int | None = None
    declared: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def set(self, group: str, name: str, value: Any) -> None:
        """Set a factor; what another source said before gives way, and that is noted."""
        before = self.get(group, name)
        if before is not None and before != value:
            self.note(f"{name} is {value} by its table, {before} by what lies beside it; the table counts")
        self.recipe.setdefault(group, {})[name] = value

    def get(self, group: str, name: str) -> Any:
        """Return a factor, ``None`` if it is not known."""
        return self.recipe.get(group, {}).get(name)

    def descend(self, parent: str, of_hub: bool = False, epoch: int | None = None) -> None:
        """Set what the model was fine-tuned from, as its source calls it, in place of what another source says."""
        parent = parent.strip()
        if not parent.isprintable() or not 0 < len(parent) <= MAX_NAME:
            self.note(f"what it calls its parent is no name: {shown(parent)}")
            return
        self.parent, self.parent_of_hub, self.parent_epoch = parent, of_hub, epoch

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

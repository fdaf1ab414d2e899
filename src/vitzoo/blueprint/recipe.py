"""A recipe: every generating factor of one member, resolved and frozen. Its id is the hash of its content.

Names carry factors for people to read; programs never parse them.
"""

import hashlib
import json
from functools import cached_property
from typing import Any, Literal

from pydantic import ConfigDict

from vitzoo.blueprint.schema import (
    Augmentation,
    Backbone,
    Checkpoints,
    Dataset,
    Fields,
    Hyperparameters,
)

Stage = Literal["pretraining", "finetuning"]


class Recipe(Fields):
    """All factors of one member.

    ``architecture`` is complete in both stages: for a fine-tuned member it is the parent's backbone with the new
    head (``head.outputs`` resolved to a number). ``parent`` is the parent's recipe id, ``None`` for pre-training.
    ``checkpoints`` says which epochs are kept; it is no generating factor and not part of the id, nor is
    ``dataset.fractals.live``.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, ignored_types=(cached_property,)
    )

    stage: Stage
    architecture: Backbone
    dataset: Dataset
    augmentation: Augmentation
    hyperparameters: Hyperparameters
    checkpoints: Checkpoints
    parent: str | None

    def factors(self) -> dict[str, Any]:
        """Return the generating factors as plain JSON data: all but what is kept and when images are drawn."""
        return self.model_dump(mode="json", exclude={"checkpoints": True, "dataset": {"fractals": {"live"}}})

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical JSON of the factors, 64 hexadecimal digits."""
        text = json.dumps(self.factors(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def name(self) -> str:
        """The member's directory name: its main factors, then eight digits of its id."""
        h = self.hyperparameters
        common = f"seed{h.seed}_bs{h.batch_size}_{h.optimizer}_lr{h.lr:g}_wd{h.weight_decay:g}_ep{h.epochs}"
        if self.stage == "pretraining":
            a = self.architecture
            task = "sl" if h.task == "supervised" else "cl"
            return f"{task}_vit{a.dim}x{a.depth}_{common}-{self.id[:8]}"
        return f"ft_{self.architecture.head.kind}_{common}-{self.id[:8]}"

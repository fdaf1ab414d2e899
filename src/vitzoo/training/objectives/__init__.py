"""What a population minimises: one file per task, one line here."""

from vitzoo.training.objectives.base import Batch, Objective, Score
from vitzoo.training.objectives.contrastive import Contrastive
from vitzoo.training.objectives.supervised import Supervised

OBJECTIVES: dict[str, type[Objective]] = {"supervised": Supervised, "contrastive": Contrastive}

__all__ = ["OBJECTIVES", "Batch", "Contrastive", "Objective", "Score", "Supervised"]

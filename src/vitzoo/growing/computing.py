"""How members are computed by a process: their zoo's execution, applied to their shape."""

from vitzoo.blueprint.recipe import Recipe
from vitzoo.growing.execution import Execution
from vitzoo.model.native.block import fits
from vitzoo.model.shapes import tokens
from vitzoo.training.compute import DTYPES, Compute
from vitzoo.training.team import ALONE, Team


def compute_of(recipe: Recipe, execution: Execution, team: Team = ALONE) -> Compute:
    """Return how members like ``recipe`` are computed by one process of a team, each on a device of its own.

    Native kernels are used where they take the members' widths. Micro-batches cut between images only where the loss
    scores each image by itself: the contrastive one would need a second forward pass, so a member's batch is its least.
    """
    e, h = execution, recipe.hyperparameters
    micro = e.micro
    if micro is not None and h.task == "contrastive":
        micro = max(micro, h.batch_size * h.views * tokens(recipe.architecture))
    device = f"{e.device}:{team.rank}" if e.device == "cuda" and team.size > 1 else e.device
    native = e.kernels == "native" and fits(recipe.architecture, DTYPES[e.precision])
    kernels = "torch" if e.kernels == "native" else e.kernels
    return Compute(device, e.precision, "native" if native else kernels, micro, team)

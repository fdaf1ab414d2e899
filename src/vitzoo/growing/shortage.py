"""Not enough memory, with the numbers: what a population takes, and what there is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vitzoo.blueprint.recipe import Recipe
from vitzoo.errors import VitzooError
from vitzoo.growing.execution import Execution
from vitzoo.model.shapes import parameters
from vitzoo.training.fitting import out_of_memory

BYTES = {"float32": 4, "bf16": 2}
GB = 1e9


class NotEnoughMemory(VitzooError):
    """A population does not fit into memory, however small the micro-batches."""


@contextmanager
def explained(recipes: Sequence[Recipe], execution: Execution) -> Iterator[None]:
    """Turn what allocators raise into one sentence with the numbers.

    Raises:
        NotEnoughMemory: memory ran out, and smaller micro-batches did not help or were not the question.
    """
    free = total = 0
    try:
        free, total = memory(execution.device)
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise NotEnoughMemory(sentence(recipes, execution, free, total)) from error


def sentence(recipes: Sequence[Recipe], execution: Execution, free: int, total: int) -> str:
    """Say what a population takes, and that ``free`` of ``total`` bytes were there when it began."""
    k, each = len(recipes), parameters(recipes[0].architecture)
    who = f"{k} members of {each:,} parameters each" if k > 1 else f"a member of {each:,} parameters"
    fewer = (
        "with fewer --workers at a time, or in a new zoo with a smaller --stack" if k > 1 else "with fewer --workers"
    )
    return (
        f"There is not enough memory to train {who}, from {recipes[0].name}: weights, moments and gradients take "
        f"{needed(recipes, execution) / GB:.3g} GB, and activations come on top of them. When it began, "
        f"{free / GB:.3g} of {total / GB:.3g} GB were free ({execution.device}). What was committed stays; "
        f"go on where there is more memory, {fewer}."
    )


def needed(recipes: Sequence[Recipe], execution: Execution) -> int:
    """Return the bytes of a population's weights, moments and gradients, copies in another precision included."""
    moments = 2 if any(recipe.hyperparameters.optimizer == "adamw" for recipe in recipes) else 1
    copies = 2 * BYTES["bf16"] if execution.precision == "bf16" else 0
    return len(recipes) * parameters(recipes[0].architecture) * (BYTES["float32"] * (2 + moments) + copies)


def memory(device: str) -> tuple[int, int]:
    """Return the bytes of memory that are free and that there are, on a GPU or for this process (Linux; else 0)."""
    if device == "cuda":
        import torch

        return torch.cuda.mem_get_info()
    import resource

    machine, own = _fields("meminfo"), _fields("self/status")
    free, total = machine.get("MemAvailable", 0), machine.get("MemTotal", 0)
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return free, total
    return min(free, max(0, limit - own.get("VmSize", 0))), min(total, limit)


def _fields(name: str) -> dict[str, int]:
    """Return what a file in /proc says in kilobytes, in bytes."""
    path = Path("/proc") / name
    lines = path.read_text().splitlines() if path.exists() else []
    words = (line.split() for line in lines if line.endswith(" kB"))
    return {first.rstrip(":"): int(number) * 1024 for first, number, _ in words}

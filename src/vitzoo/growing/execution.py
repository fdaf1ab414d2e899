"""How a zoo is computed: what does not change the factors but changes the bits. Chosen once, recorded in zoo.json."""

from importlib.util import find_spec
from typing import Any, Literal

from pydantic import Field, ValidationError

from vitzoo.blueprint import Recipe
from vitzoo.blueprint.schema import Fields
from vitzoo.errors import InputError
from vitzoo.model.native import build
from vitzoo.model.shapes import tokens
from vitzoo.native import processor

#: Tokens that one step of a stack should work on: less starves the device, more only spills its caches (docs/log.md).
TOKENS = {"cpu": 8192, "cuda": 1 << 18}
#: Tokens of one forward and backward pass: what a core's caches hold (benchmarks/micro.py); a GPU wants all at once.
MICRO = {"cpu": 8192}


class Execution(Fields):
    """Device kind, precision, size of the stacks and of micro-batches, processes a population and threads a process.

    A zoo is resumed with the values it was begun with, so its weights do not depend on when it was interrupted.
    """

    device: Literal["cpu", "cuda"]
    precision: Literal["float32", "bf16"]
    stack: int | None = Field(None, ge=1, le=1024, description="most members trained together; None: by ``tokens``")
    tokens: int = Field(ge=1, description="tokens that one step of a stack should work on")
    micro: int | None = Field(
        None, ge=1, description="most tokens of one forward and backward pass; None: a whole step"
    )
    devices: int = Field(1, ge=1, le=64, description="devices, one process each, that train a population together")
    threads: int = Field(1, ge=1, description="CPU threads of one process")
    kernels: Literal["torch", "compiled", "native"] = Field(
        "torch", description="what computes the blocks: torch, torch.compile, or on a CPU kernels of our own"
    )

    def limit(self, recipe: Recipe) -> int:
        """Return how many members like ``recipe`` to train together.

        >>> from vitzoo.blueprint import expand, load
        >>> cpu = Execution(device="cpu", precision="bf16", tokens=8192)
        >>> [cpu.limit(expand(load(name))[1][0]) for name in ("nano", "paper")]
        [30, 1]
        """
        h = recipe.hyperparameters
        return self.stack or max(1, self.tokens // (h.batch_size * h.views * tokens(recipe.architecture)))


def choose(
    device: str | None,
    precision: str | None,
    stack: int | None,
    devices: int | None = None,
    kernels: str | None = None,
) -> Execution:
    """Fill in what the user left open from what this machine has; imports torch unless ``device`` is "cpu".

    Raises:
        InputError: a device or kernels that are not there, or an unknown value.
    """
    cuda = device != "cpu" and _has_cuda()
    device = device or ("cuda" if cuda else "cpu")
    if device == "cuda" and not cuda:
        raise InputError(
            "--device cuda was asked for, but PyTorch finds no CUDA device here. Leave it out to use the CPU."
        )
    fast_bf16 = _cuda_has_bf16() if device == "cuda" else cpu_has_bf16()
    values: dict[str, Any] = {
        "device": device,
        "precision": precision or ("bf16" if fast_bf16 else "float32"),
        "stack": stack,
        "devices": devices or 1,
        "tokens": TOKENS[device] if device in TOKENS else TOKENS["cpu"],
        "micro": MICRO.get(device),
        "kernels": kernels or _best_kernels(device),
    }
    try:
        execution = Execution(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"--{first['loc'][0]} {first['input']!r}: {first['msg']}.") from None
    if kernels == "native" and (why := no_native(device)):
        raise InputError(f"--kernels native: {why}")
    return execution


def no_native(device: str) -> str | None:
    """Return why our kernels cannot be used on a device of this machine, as sentences; None where they can."""
    return "They are for the CPU." if device != "cpu" else build.why_not()


def _best_kernels(device: str) -> str:
    if device == "cuda":
        return "compiled" if find_spec("triton") else "torch"
    return "torch" if build.why_not() else "native"


def require(execution: Execution) -> None:
    """Check that this machine has the device and the kernels a zoo was begun with.

    Raises:
        InputError: it has not.
    """
    if execution.kernels == "native" and (why := build.why_not()):
        raise InputError(
            "This zoo was begun with vitzoo's CPU kernels, and they cannot be compiled here; torch's would give it "
            f"other weights. {why} Install one, or grow a new zoo."
        )
    if execution.device == "cuda" and not _has_cuda():
        raise InputError(
            "This zoo was begun on a CUDA device, and there is none here; the CPU would give it other weights. "
            "Go on where there is one, or grow a new zoo."
        )
    if execution.device == "cuda" and execution.devices > (found := _count_cuda()):
        raise InputError(
            f"A population of this zoo is trained on {execution.devices} CUDA devices together, and here are {found}. "
            "Go on where there are as many, or grow a new zoo with fewer --devices."
        )


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _count_cuda() -> int:
    import torch

    return torch.cuda.device_count()


def _cuda_has_bf16() -> bool:
    import torch

    return torch.cuda.is_bf16_supported()


def cpu_has_bf16() -> bool:
    """Tell whether this CPU multiplies bf16 in hardware (AVX-512 BF16 or AMX)."""
    flags = processor().get("flags", "").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def agree(
    recorded: dict[str, Any],
    device: str | None,
    precision: str | None,
    stack: int | None,
    devices: int | None = None,
    kernels: str | None = None,
) -> Execution:
    """Return what a zoo was begun with; refuse other wishes, which would change its weights."""
    execution = Execution.model_validate(recorded)
    wishes = {"device": device, "precision": precision, "stack": stack, "devices": devices, "kernels": kernels}
    for name, wish in wishes.items():
        have = getattr(execution, name)
        if wish is not None and wish != have:
            raise InputError(
                f"This zoo was begun with {f'{name} {have}' if have else f'no --{name}'}, "
                f"and --{name} {wish} would change its weights. "
                f"Leave --{name} out to go on, or grow a new zoo elsewhere."
            )
    return execution

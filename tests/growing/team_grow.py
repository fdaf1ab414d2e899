"""A zoo whose populations are trained by two processes each, grown in this process or by command."""

from pathlib import Path

from vitzoo.blueprint import load
from vitzoo.growing.execution import Execution
from vitzoo.zoo import Zoo


def begin(path: Path, blueprint: Path, devices: int = 2, micro: int | None = None, stack: int = 2) -> Zoo:
    """Begin a zoo as `vitzoo grow --devices` does, with torch's kernels in float32."""
    loaded = load(blueprint)
    execution = Execution(device="cpu", precision="float32", stack=stack, tokens=8192, devices=devices, micro=micro)
    return Zoo.create(
        path,
        name=loaded.name,
        licence=loaded.licence,
        blueprint=loaded.to_yaml(),
        execution=execution.model_dump(),
    )

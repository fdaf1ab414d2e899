"""The write-ahead state of a population: what makes a killed run continue to the same bits.

After every epoch the whole state (weights, moments, who is alive, the epoch's metrics) is written to one file by
rename, and only then are the epoch's checkpoints committed. So on resume the newest state is loaded, whatever of its
epoch is not yet committed is committed from it, and training goes on; no epoch is ever computed twice, and nothing
depends on the hardware computing it twice alike.
"""

import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from vitzoo.growing.jobs import FOLDER
from vitzoo.training.loop import Epoch, State
from vitzoo.zoo.atomic import discard, staging_path, storing


def path_of(zoo: Path, job: str) -> Path:
    """Return where a population's state lies."""
    return zoo / FOLDER / f"{job}.safetensors"


def write(path: Path, epoch: Epoch) -> None:
    """Replace the state at ``path`` in one step; a VitzooError with path and reason when that is not possible."""
    state = epoch.state
    about = {"epoch": epoch.number, "metrics": epoch.metrics, "diverged": epoch.diverged, "alive": state.alive}
    tensors = {"flat": state.flat} | {f"moments.{name}": tensor for name, tensor in state.moments.items()}
    data = save(tensors, metadata={"state": json.dumps(about, allow_nan=False)})
    staged = staging_path(path.parent, path.stem)  # of our own: another worker may be writing, out of reach
    with storing(path):
        path.parent.mkdir(exist_ok=True)
        try:
            with staged.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            staged.replace(path)
        except OSError:
            discard(staged)  # on a full disk its room is needed
            raise


def read(path: Path) -> Epoch | None:
    """Load the newest state, or None when there is none that is whole (a power cut can leave half a file)."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no dict)
    except (FileNotFoundError, SafetensorError):
        return None
    moments = {name.removeprefix("moments."): t for name, t in tensors.items() if name != "flat"}
    state = State(about["epoch"], tensors["flat"], moments, about["alive"])
    return Epoch(about["epoch"], about["metrics"], about["diverged"], state)


def on_device(state: State, device: str) -> State:
    """Return the state as training wants it: on the device, and not shared with what is being written."""
    moments = {name: tensor.to(device, copy=True) for name, tensor in state.moments.items()}
    return State(state.epoch, state.flat.to(device, copy=True), moments, list(state.alive))

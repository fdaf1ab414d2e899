"""Load a blueprint from a file or from a shipped preset, apply overrides, and check all of it."""

from importlib import resources
from pathlib import Path

from vitzoo.blueprint import reader
from vitzoo.blueprint.document import Blueprint, parse
from vitzoo.blueprint.expansion import expand
from vitzoo.blueprint.overrides import apply
from vitzoo.errors import BlueprintError, nearest

PRESETS = ("nano", "tiny-cifar", "paper", "released", "corrected")


def load(path_or_preset: str | Path, overrides: list[str] | None = None) -> Blueprint:
    """Load and check a blueprint; every problem is a ``BlueprintError``.

    The name of a preset wins over a file of that name; write ``./nano`` for the file.

    >>> blueprint = load("paper", ["finetuning.hyperparameters.epochs=2"])
    >>> [len(recipes) for recipes in expand(blueprint)]
    [10, 240]
    """
    raw, origin = _bytes(path_or_preset)
    data = reader.read(reader.decode(raw, origin), origin)
    blueprint = parse(apply(data, overrides or []))
    expand(blueprint)
    return blueprint


def preset(name: str) -> str:
    """Return the YAML text of a shipped preset, its comments included."""
    return resources.files("vitzoo.blueprint").joinpath("presets", f"{name}.yaml").read_text("utf-8")


def _bytes(path_or_preset: str | Path) -> tuple[bytes, str]:
    name = str(path_or_preset)
    if name in PRESETS:
        return preset(name).encode(), f"preset {name}"
    origin = reader.shorten(name)
    try:
        with Path(path_or_preset).open("rb") as file:
            return file.read(reader.MAX_BYTES + 1), origin  # one byte more, so that a larger file is noticed
    except FileNotFoundError:
        known = nearest(name, PRESETS) or f" Presets: {', '.join(PRESETS)}."
        raise BlueprintError(f"There is no file and no preset {origin}.{known}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BlueprintError(f"{origin} cannot be read: {reason}.") from None

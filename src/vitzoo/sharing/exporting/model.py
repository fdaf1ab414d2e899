"""What a member is as a model, read from its config with suspicion and held against the tensors of its files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError
from vitzoo.model.timm_names import ARGUMENTS, LINEAR, MLP
from vitzoo.zoo.layout import CONFIG

if TYPE_CHECKING:
    from vitzoo.blueprint.schema import Backbone
    from vitzoo.zoo import Member
    from vitzoo.zoo.safetensors_io import Slot

HEAD = "head."
FLOATS = ("F16", "BF16", "F32", "F64")
Triple = tuple[float, float, float]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Model:
    """A model as other libraries describe one.

    outputs: width of the output, 0 for a backbone without a head. mean, std: of each channel, of values in [0, 1].
    recipe: the factors that say how images are prepared and what the outputs are.
    """

    arch: "Backbone"
    outputs: int
    mean: Triple
    std: Triple
    recipe: Mapping[str, Any]

    @property
    def mlp(self) -> bool:
        """Whether the head is an MLP, which no stock model of other libraries has."""
        return self.outputs > 0 and self.arch.head.kind == "mlp"

    def shapes(self) -> Shapes:
        """Names and shapes of its tensors, in timm's order."""
        from vitzoo.model.shapes import parameter_shapes

        found = parameter_shapes(self.arch)
        return found if self.outputs else {name: shape for name, shape in found.items() if not name.startswith(HEAD)}

    def check(self, slots: "Mapping[str, Slot]", where: object) -> None:
        """IntegrityError names the first tensor that a file has otherwise than the config says."""
        expected, found = self.shapes(), {name: slot.shape for name, slot in slots.items()}
        for name in {**expected, **found}:
            if expected.get(name) != found.get(name):
                raise IntegrityError(
                    f"{where}, tensor {name!r}: it is {_said(found.get(name))}, by the member's {CONFIG} it is "
                    f"{_said(expected.get(name))}. Restore the file from a copy of the zoo."
                )
            if slots[name].dtype not in FLOATS:
                raise IntegrityError(f"{where}, tensor {name!r}: {slots[name].dtype} is no type of weights.")


def model_of(member: "Member") -> Model:
    """Read what a member is from its config. InputError says what describes no model that vitzoo grows.

    How images are prepared for a merged member is what its first ingredient says.
    """
    first = member
    if member.merge:
        first = member.zoo.member(member.merge["ingredients"][0]["member"])
    config, where = first.config, first.path / CONFIG
    arch, outputs = _architecture(config, where)
    images = config.get("pretrained_cfg")
    mean, std = (_triple(images, key, where) for key in ("mean", "std"))
    if min(std) <= 0:
        raise InputError(f"{where} has a std of {min(std)} in 'pretrained_cfg', by which nothing can be divided.")
    return Model(arch, outputs, mean, std, first.recipe)


def _architecture(config: Mapping[str, Any], where: object) -> "tuple[Backbone, int]":
    from pydantic import ValidationError

    from vitzoo.blueprint.schema import Backbone

    kind, outputs, given = (config.get(key) for key in ("architecture", "num_classes", "model_args"))
    known = kind in (LINEAR, MLP) and config.get("global_pool") == "token" and isinstance(given, dict)
    if not known or type(outputs) is not int or not set(given) <= set(ARGUMENTS):
        raise InputError(
            f"{where} describes no model that vitzoo grows: architecture {str(kind)[:80]!r} with model_args "
            f"{str(given)[:200]}. Narrow the condition to others."
        )
    fields = {"dim": "embed_dim", "heads": "num_heads", "image_size": "img_size"}
    sizes = ("image_size", "patch_size", "dim", "depth", "heads", "mlp_ratio")
    plain = {name: given[fields.get(name, name)] for name in sizes if fields.get(name, name) in given}
    head = {"kind": "mlp" if kind == MLP else "linear", "hidden": given.get("head_hidden"), "outputs": outputs or 1}
    try:
        return Backbone.model_validate(plain | {"head": head}), outputs
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{where} describes no model that vitzoo grows: {place}: {first['msg']}.") from None


def _triple(images: Any, key: str, where: object) -> Triple:
    found = images.get(key) if isinstance(images, dict) else None
    if isinstance(found, list) and len(found) == 3 and all(type(x) in (int, float) and abs(x) < 1e6 for x in found):
        return float(found[0]), float(found[1]), float(found[2])
    raise InputError(f"{where} has no {key} of three channels in 'pretrained_cfg', so images cannot be normalised.")


def _said(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else str(list(shape))

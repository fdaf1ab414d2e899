"""What a member is as a model, as its config declares it and the tensors of its files confirm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError
from vitzoo.model.timm_names import check_shapes, declared
from vitzoo.zoo.layout import CONFIG, WEIGHTS

if TYPE_CHECKING:
    from vitzoo.blueprint.schema import Backbone
    from vitzoo.zoo import Checkpoint, Member

FLOATS = ("F16", "BF16", "F32", "F64")
LARGE = 1e6  # no mean or deviation of values in [0, 1] comes near
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Model:
    """A model as other libraries describe one.

    mean, std: of each channel, of values in [0, 1]. recipe: the factors that say how images are prepared and what the
    outputs are.
    """

    arch: "Backbone"
    mean: Triple
    std: Triple
    recipe: Mapping[str, Any]

    @property
    def outputs(self) -> int:
        """Width of the output."""
        assert self.arch.head.outputs is not None, "a declared head has its outputs"
        return self.arch.head.outputs

    @property
    def mlp(self) -> bool:
        """Whether the head is an MLP, which no stock model of other libraries has."""
        return self.arch.head.kind == "mlp"

    def check(self, checkpoint: "Checkpoint") -> int:
        """Return the size of a checkpoint's file; IntegrityError names the first tensor that does not fit the model."""
        slots, where = checkpoint.header(), f"{checkpoint.place}/{WEIGHTS}"
        check_shapes({name: slot.shape for name, slot in slots.items()}, self.arch, where)
        for name, slot in slots.items():
            if slot.dtype not in FLOATS:
                raise IntegrityError(f"{where}, tensor {name!r}: {slot.dtype} is no type of weights.")
        return max(slot.end for slot in slots.values())


def model_of(member: "Member") -> Model:
    """Read what a member is from its config. InputError says what describes no model that vitzoo grows.

    Images are prepared for a merged member as for its first ingredient.
    """
    source = member
    if member.merge:
        source = member.zoo.member(member.merge["ingredients"][0]["member"])
    where = f"{source.place}/{CONFIG}"
    arch = declared(source.config, where)
    if arch is None:
        raise InputError(f"{where} describes no model that vitzoo grows: it has no model_args.")
    images = source.config.get("pretrained_cfg")
    mean, std = (_triple(images, key, where) for key in ("mean", "std"))
    if min(std) <= 0:
        raise InputError(f"{where} has a std of {min(std)} in 'pretrained_cfg', by which nothing can be divided.")
    return Model(arch, mean, std, source.recipe)


def _triple(images: Any, key: str, where: object) -> Triple:
    found = images.get(key) if isinstance(images, dict) else None
    if isinstance(found, list) and len(found) == 3 and all(type(x) in (int, float) and abs(x) < LARGE for x in found):
        return float(found[0]), float(found[1]), float(found[2])
    raise InputError(f"{where} has no {key} of three channels in 'pretrained_cfg', so images cannot be normalised.")

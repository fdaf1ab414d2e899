"""The fields of a blueprint: {A_P, D_P, λ_P} and {A_F, D_F, λ_F} of the paper's Section 2, and the grid.

All models are strict and frozen: an unknown field, a wrong type or a value out of range is an error, never a
guess. What a field means is said once, here; docs and ``vitzoo plan`` read it from here.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from vitzoo.blueprint import sources

Probability = Annotated[float, Field(ge=0, le=1)]
Range = Annotated[tuple[float, float], Field(strict=False)]
Triple = Annotated[tuple[float, float, float], Field(strict=False)]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

UNRESOLVED: Any = None  #: a default that follows from other fields; no recipe holds it


def misfit(field: str, value: object, expected: str) -> PydanticCustomError:
    """Build the error of a field that does not fit its neighbours; it names the field, its value and the rule."""
    context = {"field": field, "value": value, "expected": expected}
    return PydanticCustomError("misfit", "{field} is {value}; expected {expected}", context)


class Fields(BaseModel):
    """Base of everything in a blueprint: strict, frozen, no unknown fields, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Head(Fields):
    """What turns the class token into outputs: a linear map, or one hidden layer with ReLU."""

    kind: Literal["linear", "mlp"] = Field("linear", description="linear map, or MLP with one hidden layer and ReLU")
    hidden: int | None = Field(None, ge=1, le=16384, description="width of the hidden layer (mlp only)")
    outputs: int | None = Field(None, ge=1, le=100_000, description="width of the output; default: number of classes")

    @model_validator(mode="after")
    def _hidden_belongs_to_mlp(self) -> Self:
        if (self.kind == "mlp") != (self.hidden is not None):
            raise misfit("hidden", self.hidden, "a width for kind 'mlp', and null for kind 'linear'")
        return self


class Backbone(Fields):
    """The vision transformer of Dosovitskiy et al. (2020), pre-norm, class token, learned positions."""

    image_size: int = Field(ge=4, le=1024, description="side of the square input, pixels")
    patch_size: int = Field(ge=1, le=64, description="side of a patch, pixels")
    dim: int = Field(ge=4, le=4096, description="width of the token vectors")
    depth: int = Field(ge=1, le=64, description="number of blocks")
    heads: int = Field(ge=1, le=64, description="attention heads per block")
    mlp_ratio: float = Field(4.0, gt=0, le=16, description="hidden width of a block's MLP over dim")
    init: Literal["timm", "released"] = Field("timm", description="initialisation: timm's, or the released code's")
    head: Head = Head.model_construct()

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.image_size % self.patch_size:
            raise misfit("image_size", self.image_size, f"a multiple of patch_size {self.patch_size}")
        if self.dim % self.heads:
            raise misfit("dim", self.dim, f"a multiple of heads {self.heads}")
        return self


class Adaptation(Fields):
    """A_F: what fine-tuning changes of the parent's architecture."""

    image_size: int | None = Field(None, ge=4, le=1024, description="default: the parent's; positions are resampled")
    init: Literal["timm", "released"] = Field("timm", description="initialisation of the new head")
    head: Head = Head.model_construct()


class Fractals(Fields):
    """Formula-driven images: one contractive iterated function system per class (Kataoka et al. 2020).

    Every field may be left out; what is left out is filled in before a recipe is made (``fractals.resolve``).
    """

    classes: int = Field(
        UNRESOLVED,
        ge=2,
        le=10_000,
        description="default: dataset.classes; else 1000, below size 64 200, below size 32 40",
    )
    train_per_class: int = Field(
        UNRESOLVED, ge=1, le=100_000, description="default: 1281, below size 64 500, below size 32 100"
    )
    test_per_class: int = Field(UNRESOLVED, ge=1, le=10_000, description="default: 50, below size 32 20")
    size: int = Field(
        UNRESOLVED, ge=8, le=512, description="side of the rendered image, pixels; default: what is read, so image_size"
    )
    points: int = Field(
        UNRESOLVED,
        ge=100,
        le=1_000_000,
        description="points of the chaos game per image; default: the larger of 62.5·size and 0.4·size²",
    )
    seed: int = Field(0, ge=0)
    live: bool | None = Field(
        None,
        exclude_if=lambda live: not live,  # recipes from before it existed keep their JSON
        description="draw images whenever they are asked for, instead of once into the cache: the same images, so "
        "no factor; needs size to be what is read; default: true if the cache would take more than 8 GiB",
    )


class Dataset(Fields):
    """D: where images come from and how they are normalised. A text stands for a source without settings."""

    source: str = Field(
        description="digits | fractals | cifar10 | cifar100 | imagenet | tiny-imagenet | folder:PATH | npz:PATH"
    )
    classes: int | None = Field(None, ge=2, le=100_000, description="needed for folder: and npz:, known otherwise")
    fractals: Fractals | None = Field(None, description="settings of the source 'fractals'; each has a default")
    cache_size: int | None = Field(
        None, ge=4, le=1024, description="side of the decoded images kept; default: as given, at most image_size·8/7"
    )
    train_limit: int | None = Field(None, ge=1, description="use only this many training images, drawn evenly")
    test_limit: int | None = Field(None, ge=1, description="use only this many test images, drawn evenly")
    mean: Triple = Field(IMAGENET_MEAN, description="per-channel mean subtracted, of values in [0, 1]")
    std: Triple = Field(IMAGENET_STD, description="per-channel deviation divided by")

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, data: Any) -> Any:
        return {"source": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _fractals_belong_to_fractals(self) -> Self:
        if self.source != "fractals" and self.fractals is not None:
            given = self.fractals.model_dump(exclude_unset=True)
            raise misfit("fractals", given, f"null, because source {self.source!r} has no such settings")
        return self

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not sources.is_known(self.source):
            raise misfit("source", self.source, f"{sources.EXPECTED}.{sources.hint(self.source)}")
        known = self.fractals.classes if self.fractals else sources.CLASSES.get(self.source)
        if known is None and self.classes is None and self.source != "fractals":
            raise misfit("classes", None, f"the number of classes, which is not known for source {self.source!r}")
        if known is not None and self.classes not in (None, known):
            raise misfit("classes", self.classes, f"{known}, the number of classes of source {self.source!r}")
        if not all(deviation > 0 for deviation in self.std):
            raise misfit("std", self.std, "three numbers greater than 0")
        return self


class Crop(Fields):
    """How the training image is cut: a window after padding, or a random resized window (Inception crop)."""

    kind: Literal["random", "random_resized"]
    padding: int = Field(0, ge=0, le=64, description="zero padding before the window is cut (random)")
    resize: int | None = Field(None, ge=4, le=1024, description="side to resize to before the cut (random)")
    scale: Range = Field((0.08, 1.0), description="area of the window over that of the image (random_resized)")
    ratio: Range = Field((3 / 4, 4 / 3), description="aspect ratio of the window (random_resized)")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("scale", "ratio"):
            low, high = getattr(self, name)
            if not 0 < low <= high or (name == "scale" and high > 1):
                raise misfit(name, (low, high), "an increasing pair of positive numbers (a scale is at most 1)")
        return self


class Jitter(Fields):
    """Random brightness, contrast, saturation and hue in random order (torchvision's ColorJitter)."""

    brightness: float = Field(0.0, ge=0, le=1)
    contrast: float = Field(0.0, ge=0, le=1)
    saturation: float = Field(0.0, ge=0, le=1)
    hue: float = Field(0.0, ge=0, le=0.5)
    probability: Probability = 1.0


class Blur(Fields):
    """Gaussian blur with a random width."""

    kernel: int = Field(ge=3, le=63, description="side of the kernel, odd")
    sigma: Range = (0.1, 2.0)
    probability: Probability = 1.0

    @model_validator(mode="after")
    def _valid(self) -> Self:
        if self.kernel % 2 == 0:
            raise misfit("kernel", self.kernel, "an odd number")
        if not 0 < self.sigma[0] <= self.sigma[1]:
            raise misfit("sigma", self.sigma, "an increasing pair of positive numbers")
        return self


class Augmentation(Fields):
    """What happens to a training image on its own, in this order; every default is 'off'."""

    crop: Crop | None = None
    flip: Probability = Field(0.0, description="probability of a horizontal flip")
    rotation: float = Field(0.0, ge=0, le=180, description="degrees; the angle is uniform in ±rotation")
    jitter: Jitter | None = None
    grey: Probability = Field(0.0, description="probability of dropping colour")
    blur: Blur | None = None


class Hyperparameters(Fields):
    """λ: task and optimisation (the paper's Tables 4 and 5)."""

    task: Literal["supervised", "contrastive"] = "supervised"
    seed: int = Field(ge=0, lt=2**63, description="initialisation, order of the images and augmentation")
    epochs: int = Field(ge=1, le=100_000)
    batch_size: int = Field(ge=2, le=65536)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(gt=0, le=100, description="peak learning rate")
    momentum: float = Field(0.0, ge=0, lt=1, description="of SGD")
    betas: Range = Field((0.9, 0.999), description="of AdamW")
    weight_decay: float = Field(0.0, ge=0, le=10, description="torch semantics: multiplied by the learning rate")
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_epochs: float = Field(0.0, ge=0, description="linear from 0 to lr")
    clip: float | None = Field(None, gt=0, description="largest gradient norm of a member")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    mixup: float = Field(0.0, ge=0, description="α of the Beta distribution; 0 is off")
    cutmix: float = Field(0.0, ge=0, description="α of the Beta distribution; 0 is off")
    random_erasing: Probability = 0.0
    stochastic_depth: float = Field(0.0, ge=0, lt=1, description="drop rate of the last block, linear from 0")
    temperature: float | None = Field(None, gt=0, description="of the InfoNCE loss (contrastive only)")

    @property
    def views(self) -> int:
        """How many images the model sees per image of the data."""
        return 2 if self.task == "contrastive" else 1

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        contrastive = self.task == "contrastive"
        if contrastive != (self.temperature is not None):
            raise misfit("temperature", self.temperature, "a number for task 'contrastive', and null otherwise")
        for name in ("mixup", "cutmix", "label_smoothing"):
            if contrastive and getattr(self, name):
                raise misfit(name, getattr(self, name), "0, because task 'contrastive' has no labels to mix")
        if (self.mixup or self.cutmix) and self.batch_size % 2:
            raise misfit("batch_size", self.batch_size, "an even number, because mixup and cutmix pair images")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise misfit("betas", self.betas, "two numbers of at least 0 and less than 1")
        if self.warmup_epochs > self.epochs:
            raise misfit("warmup_epochs", self.warmup_epochs, f"at most epochs, which is {self.epochs}")
        return self


class Checkpoints(Fields):
    """Which epochs are kept. Epoch 0 is the state before training; the last epoch is always kept."""

    initial: bool = Field(True, description="keep epoch 0")
    every: int = Field(1, ge=1, description="keep every so many epochs")

    def epochs(self, last: int) -> list[int]:
        """List the kept epochs of a run of ``last`` epochs.

        >>> Checkpoints(every=2).epochs(5)
        [0, 2, 4, 5]
        """
        kept = [epoch for epoch in range(1, last + 1) if epoch % self.every == 0 or epoch == last]
        return [0, *kept] if self.initial else kept


class Pretraining(Fields):
    """The first stage: backbones trained from scratch."""

    architecture: Backbone
    dataset: Dataset
    augmentation: Augmentation = Augmentation.model_construct()
    hyperparameters: Hyperparameters
    checkpoints: Checkpoints = Checkpoints.model_construct()


class Finetuning(Fields):
    """The second stage: every backbone is fine-tuned once per cell of the grid."""

    architecture: Adaptation = Adaptation.model_construct()
    dataset: Dataset
    augmentation: Augmentation = Augmentation.model_construct()
    hyperparameters: Hyperparameters
    checkpoints: Checkpoints = Checkpoints.model_construct()

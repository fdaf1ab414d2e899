"""Methods of merging models of different trees, by name: what each looks at, and what comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from vitzoo.merging.across import calibration, learned, procrustes, products, rebasin, weights
from vitzoo.merging.across.mixture import mean
from vitzoo.merging.across.models import Models
from vitzoo.merging.symmetry.element import Symmetry

Params = Mapping[str, Tensor]
STEPS = 300  # of learning
TUNING_LR = 1e-3
NOTHING, IMAGES, LABELS = "no images", "training images", "training images and their labels"


@dataclass(frozen=True, eq=False)
class Result:
    """What a method gives.

    merged: the merged model, a plain ViT. ends: the models as they were averaged, plain ViTs between which there is a
    path of averages. symmetries: what was done to each canonical model, where symmetries were: they fit all that was
    fine-tuned from the same backbone.
    """

    merged: Params
    ends: Sequence[Params]
    symmetries: Sequence[Symmetry] | None = None


@dataclass(frozen=True)
class Method:
    """A method, what it looks at, and the name of its control: the same without alignment."""

    run: Callable[[Models, int], Result]  # with a seed
    about: str
    looks_at: str = NOTHING
    control: str | None = None


def vanilla(models: Models, seed: int) -> Result:
    """Average models as they are."""
    return Result(mean(models.raw), models.raw)


def tuned(models: Models, seed: int, teachers: bool = False) -> Result:
    """Average models as they are and train the average as long as rotations are trained: the equal-budget control."""
    batches = models.lessons.batches(STEPS, seed)
    loss = models.by_teachers if teachers else models.by_labels
    return Result(learned.tuned(mean(models.raw), batches, loss, TUNING_LR), models.raw)


def weight_matching(models: Models, seed: int, heads: bool = True) -> Result:
    """Permute each model to the first by weights (Git Re-Basin); without heads, as the published method does."""
    kept = models.heads if heads else None
    ends = [models.raw[0], *(rebasin.by_weights(models.raw[0], other, kept, seed) for other in models.raw[1:])]
    return Result(mean(ends), ends)


def activation_matching(models: Models, seed: int, heads: bool = True) -> Result:
    """Permute each model to the first by activations (Git Re-Basin); without heads, as the published method does."""
    kept, first = models.heads if heads else None, models.raw[0]
    pairs = zip(models.raw[1:], models.evidence_as_is, strict=True)
    ends = [first, *(rebasin.by_activations(first, other, evidence, kept) for other, evidence in pairs)]
    return Result(mean(ends), ends)


def merge_many(models: Models, seed: int) -> Result:
    """Align each model with the mean of the others by weights, heads kept whole, until nothing changes."""
    ends = rebasin.merge_many(models.raw, lambda a, b: rebasin.by_weights(a, b, models.heads, seed), seed)
    return Result(mean(ends), ends)


def rotation(models: Models, seed: int) -> Result:
    """Turn and match each model to the first by weights alone."""
    first, *others = models.prepared
    return _aligned(models, [weights.align(first, other, models.heads) for other in others])


def procrustes_(models: Models, seed: int) -> Result:
    """Turn and match each model to the first by activations."""
    first, *others = models.prepared
    pairs = zip(others, models.evidence, strict=True)
    return _aligned(models, [procrustes.align(first, other, seen, models.heads) for other, seen in pairs])


def refined(models: Models, seed: int) -> Result:
    """Turn and match each model to the first by activations and weights together."""
    first, *others = models.prepared
    pairs = zip(others, models.evidence, strict=True)
    return _aligned(models, [weights.refine(first, other, seen, models.heads) for other, seen in pairs])


def learned_(models: Models, seed: int, teachers: bool = False) -> Result:
    """Align by activations and weights, then learn rotations by which mixtures do the task, or as the models do it."""
    start = refined(models, seed)
    loss = models.by_teachers if teachers else models.by_labels
    turns = learned.learn(start.ends, models.lessons.batches(STEPS, seed), loss, seed=seed)
    assert start.symmetries is not None
    found = [each.turned(turn) for each, turn in zip(start.symmetries, turns, strict=True)]
    ends = [each.apply(model) for each, model in zip(found, models.exact, strict=True)]
    return Result(mean(ends), ends, found)


def calibrated(
    method: Callable[[Models, int], Result], fit: Callable[[Params, Sequence[Params], Tensor, int], Params]
) -> Callable[[Models, int], Result]:
    """Return a method whose average is then fitted to what the models make of images; nothing else of it changes."""

    def run(models: Models, seed: int) -> Result:
        found = method(models, seed)
        return Result(fit(found.merged, found.ends, models.images, models.heads), found.ends, found.symmetries)

    return run


def unaligned(models: Models, seed: int) -> Result:
    """Average canonical models with balanced heads, not aligned: what calibration without alignment begins with."""
    return Result(mean(models.prepared), models.prepared)


METHODS: dict[str, Method] = {
    "vanilla": Method(vanilla, "the mean of models as they are"),
    "weight-matching-naive": Method(
        lambda m, s: weight_matching(m, s, False), "Git Re-Basin by weights, maps of heads taken as dense layers"
    ),
    "weight-matching": Method(weight_matching, "Git Re-Basin by weights, heads kept whole"),
    "merge-many": Method(merge_many, "Git Re-Basin by weights, each model to the mean of the others, heads kept whole"),
    "activation-matching-naive": Method(
        lambda m, s: activation_matching(m, s, False),
        "Git Re-Basin by activations, maps of heads taken as dense layers",
        IMAGES,
    ),
    "activation-matching": Method(activation_matching, "Git Re-Basin by activations, heads kept whole", IMAGES),
    "rotation": Method(rotation, "turned and matched by weights alone"),
    "procrustes": Method(procrustes_, "turned and matched by activations, in one shot", IMAGES),
    "refined": Method(refined, "turned and matched by activations and weights together", IMAGES),
    "repaired": Method(
        calibrated(refined, calibration.repair),
        "refined, then mean and length of what is written restored",
        IMAGES,
        "vanilla-repaired",
    ),
    "fitted": Method(
        calibrated(refined, calibration.least_squares),
        "refined, then maps fitted by least squares",
        IMAGES,
        "vanilla-fitted",
    ),
    "distilled": Method(
        lambda m, s: learned_(m, s, teachers=True),
        "refined, then rotations learned from the models' predictions",
        IMAGES,
        "vanilla-distilled",
    ),
    "learned": Method(learned_, "refined, then rotations learned from labels", LABELS, "vanilla-tuned"),
    "vanilla-repaired": Method(
        calibrated(unaligned, calibration.repair),
        "control: not aligned, what is written restored",
        IMAGES,
    ),
    "vanilla-fitted": Method(
        calibrated(unaligned, calibration.least_squares), "control: not aligned, maps fitted by least squares", IMAGES
    ),
    "vanilla-distilled": Method(
        lambda m, s: tuned(m, s, teachers=True),
        "control: the mean as it is, all weights trained on the models' predictions",
        IMAGES,
    ),
    "vanilla-tuned": Method(tuned, "control: the mean as it is, all weights trained as long as rotations are", LABELS),
}


def _aligned(models: Models, found: Sequence[Symmetry]) -> Result:
    """Average aligned models, heads by their products."""
    first, *others = models.balancing
    whole = [first, *(balanced.then(each) for balanced, each in zip(others, found, strict=True))]
    ends = [each.apply(model) for each, model in zip(whole, models.exact, strict=True)]
    return Result(products.mean(ends, models.heads), ends, whole)

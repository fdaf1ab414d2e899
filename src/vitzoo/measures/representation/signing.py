"""Signatures of checkpoints on sampled images, one for each layer, kept by the checkpoint's digest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vitzoo.blueprint.recipe import Recipe
from vitzoo.data.images import Images
from vitzoo.errors import InputError, IntegrityError
from vitzoo.measures import inference
from vitzoo.measures.cache import Cache
from vitzoo.measures.representation.cka import minibatches, signatures
from vitzoo.measures.representation.features import features, layers
from vitzoo.measures.sample import sample
from vitzoo.measures.selection import LeftOut, Row, Selection, name_of, reason
from vitzoo.model.layout import Layout
from vitzoo.model.shapes import tokens

VERSION = 1


@dataclass(frozen=True)
class SimilaritySetting:
    """What representations are compared on: a sample of a split in minibatches, and how tokens become a vector.

    ``tokens`` is one of ``features.TOKENS``. A split with fewer images is used whole.
    """

    images: int = 512
    split: str = "test"
    tokens: str = "class"
    batch: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if self.split not in inference.SPLITS:
            raise InputError(f"{self.split!r} is no split; use {' or '.join(map(repr, inference.SPLITS))}.")


def sign(
    recipe: Recipe, rows: Sequence[Row], selection: Selection, images: Images, setting: SimilaritySetting, device: str
) -> Iterator[tuple[Row, np.ndarray | LeftOut]]:
    """Yield checkpoints that are evaluated alike with their signatures, float32 [L, Q], or why there are none.

    ``images`` are of the recipe's data set, shown as it treats test images; the checkpoints may be trained on another.
    """
    shown = {"fingerprint": images.fingerprint, **vars(setting), "precision": "float32"}
    cache = Cache(selection.zoo, "cka", VERSION, {**inference.evaluation(recipe), "shown": shown})
    missing, depth = [], len(layers(recipe.architecture, setting.tokens))
    for row in rows:
        cached = cache.get(row["sha256"], {"signatures": (depth, None)})
        if cached is None:
            missing.append(row)
        else:
            yield row, cached["signatures"]
    for row, found in _compute(recipe, missing, selection, images, setting, device):
        if isinstance(found, np.ndarray):
            cache.put(row["sha256"], {"signatures": found})
        yield row, found


def _compute(
    recipe: Recipe, rows: Sequence[Row], selection: Selection, images: Images, setting: SimilaritySetting, device: str
) -> Iterator[tuple[Row, np.ndarray | LeftOut]]:
    if not rows:
        return
    arch, layout = recipe.architecture, Layout.of(recipe.architecture)
    shown = _prepared(recipe, images, setting, device)
    size = max(1, inference.TOKENS[device] // (setting.batch * tokens(arch)))
    for start in range(0, len(rows), size):
        read = [_weights(row, selection, layout) for row in rows[start : start + size]]
        sound = [weights for weights in read if isinstance(weights, torch.Tensor)]
        signed: Iterator[np.ndarray] = iter(())
        if sound:
            params = layout.views(torch.stack(sound).to(device))
            found = signatures(features(params, batch, arch, setting.tokens) for batch in shown)
            signed = iter(found.float().cpu().numpy())
        for row, weights in zip(rows[start : start + size], read, strict=True):
            yield row, weights if isinstance(weights, LeftOut) else next(signed)


def _prepared(recipe: Recipe, images: Images, setting: SimilaritySetting, device: str) -> list[torch.Tensor]:
    """Return the sampled images as a recipe sees them, in minibatches [1, n, 3, S, S]."""
    split = inference.split_of(images, setting.split, device)
    chosen = sample(len(split), setting.images, setting.seed, setting.split)
    pipeline = inference.pipeline_of(recipe, images.classes)
    parts = [chosen[part] for part in minibatches(len(chosen), setting.batch)]
    return [pipeline.eval_batch(split.gather(part)[0]).unsqueeze(0) for part in parts]


def _weights(row: Row, selection: Selection, layout: Layout) -> torch.Tensor | LeftOut:
    try:
        return inference.read_row(selection.checkpoint(row), layout)
    except (IntegrityError, InputError) as error:
        return LeftOut(name_of(row), reason(error, selection.zoo), damaged=True)

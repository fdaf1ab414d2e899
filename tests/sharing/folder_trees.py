"""Folders of models as other programs leave them, for tests: timm's, Hugging Face's, AugReg's. Random weights."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def augreg_arrays(dim: int, heads: int, depth: int, patch: int, image: int, classes: int, seed: int = 0) -> Arrays:
    """The arrays of one of AugReg's archives: a plain ViT under Flax's names."""
    random = np.random.default_rng(seed)
    width, hidden, tokens = dim // heads, 4 * dim, (image // patch) ** 2 + 1
    shapes: dict[str, tuple[int, ...]] = {
        "cls": (1, 1, dim),
        "embedding/kernel": (patch, patch, 3, dim),
        "embedding/bias": (dim,),
        "head/kernel": (dim, classes),
        "head/bias": (classes,),
        "Transformer/posembed_input/pos_embedding": (1, tokens, dim),
        "Transformer/encoder_norm/scale": (dim,),
        "Transformer/encoder_norm/bias": (dim,),
    }
    for number in range(depth):
        place = f"Transformer/encoderblock_{number}"
        attention = f"{place}/MultiHeadDotProductAttention_1"
        for part in ("query", "key", "value"):
            shapes |= {f"{attention}/{part}/kernel": (dim, heads, width), f"{attention}/{part}/bias": (heads, width)}
        shapes |= {f"{attention}/out/kernel": (heads, width, dim), f"{attention}/out/bias": (dim,)}
        for norm in ("LayerNorm_0", "LayerNorm_2"):
            shapes |= {f"{place}/{norm}/scale": (dim,), f"{place}/{norm}/bias": (dim,)}
        shapes |= {f"{place}/MlpBlock_3/Dense_0/kernel": (dim, hidden), f"{place}/MlpBlock_3/Dense_0/bias": (hidden,)}
        shapes |= {f"{place}/MlpBlock_3/Dense_1/kernel": (hidden, dim), f"{place}/MlpBlock_3/Dense_1/bias": (dim,)}
    return {name: random.standard_normal(shape, dtype="f4") for name, shape in shapes.items()}

"""The peers' model: timm's vision transformer with the shapes of the workload."""

import timm
from timm.models.vision_transformer import VisionTransformer

from peers.workload import DROP_PATH, Architecture


def create(arch: Architecture) -> VisionTransformer:
    """Build the model with timm's initialisation and stochastic depth."""
    s = arch.shape
    return timm.create_model(  # type: ignore[return-value]  (the declared type is that of any module)
        "vit_small_patch16_224",
        img_size=s.image_size,
        patch_size=s.patch_size,
        embed_dim=s.dim,
        depth=s.depth,
        num_heads=s.heads,
        num_classes=arch.classes,
        drop_path_rate=DROP_PATH,
    )

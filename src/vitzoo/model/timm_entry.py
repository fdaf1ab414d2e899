"""timm models of our members. Importing this module registers ``vitzoo_vit_mlp``, a ViT with the paper's MLP head."""

from typing import Any, cast

from vitzoo.compat import ensure_torchvision

ensure_torchvision()

import timm  # noqa: E402
from timm.models import build_model_with_cfg, register_model  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from torch import nn  # noqa: E402

from vitzoo.model.timm_names import LINEAR, MLP  # noqa: E402


class MLPHeadViT(VisionTransformer):
    """A VisionTransformer whose head is Linear–ReLU–Linear, as in the paper's Appendix A.1."""

    def __init__(self, *args: Any, head_hidden: int = 256, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.head = nn.Sequential(
            nn.Linear(self.num_features, head_hidden), nn.ReLU(), nn.Linear(head_hidden, self.num_classes)
        )


def linear_head(**kwargs: Any) -> VisionTransformer:
    """Build the stock timm model; the keyword arguments are those of VisionTransformer."""
    return cast(VisionTransformer, timm.create_model(LINEAR, pretrained=False, **kwargs))


def mlp_head(**kwargs: Any) -> VisionTransformer:
    """Build the same with an MLP head; ``head_hidden`` is the width of its hidden layer."""
    return cast(VisionTransformer, timm.create_model(MLP, pretrained=False, **kwargs))


@register_model
def vitzoo_vit_mlp(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:
    """ViT-S/16 with an MLP head; every dimension can be overridden."""
    defaults: dict[str, Any] = {"patch_size": 16, "embed_dim": 384, "depth": 12, "num_heads": 6}
    return build_model_with_cfg(MLPHeadViT, MLP, pretrained, **(defaults | kwargs))

"""A zoo for the study of averages: three backbones, two heads, two optimizers, two seeds, four epochs."""

from pathlib import Path

from little_grow import vitzoo

TEXT = """\
vitzoo: 1
name: averaged
licence: CC0-1.0
pretraining:
  architecture: {image_size: 8, patch_size: 4, dim: 8, depth: 1, heads: 2}
  dataset: {source: digits, train_limit: 128, test_limit: 50}
  hyperparameters: {epochs: 1, batch_size: 32, lr: 3e-3}
  grid: {product: {hyperparameters.seed: [1, 2, 3]}}
finetuning:
  dataset: {source: digits, train_limit: 128, test_limit: 120}
  hyperparameters: {epochs: 4, batch_size: 16, lr: 3e-3, momentum: 0.9}
  grid:
    product:
      architecture.head: [{kind: linear}, {kind: mlp, hidden: 8}]
      hyperparameters.optimizer: [adamw, sgd]
      hyperparameters.seed: [1, 2]
"""
HOW = ("--device", "cpu", "--precision", "float32", "--stack", "12", "--workers", "1")
MEMBERS, KEPT = 24, 4  # fine-tuned members, and checkpoints of each after training began


def grow(folder: Path, cache: Path) -> Path:
    """Grow it, and return where it is."""
    (folder / "averaged.yaml").write_text(TEXT)
    vitzoo(cache, "grow", folder / "averaged.yaml", "--zoo", folder / "zoo", *HOW)
    return folder / "zoo"

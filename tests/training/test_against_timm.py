"""A whole small training and its evaluation against timm, torch.optim and plain loops."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from little_population import DIGITS, LINEAR, MIXED, MLP, PROJECTION, VIEWS, population, recipe, splits, trained
from torch import nn

from vitzoo import rng
from vitzoo.blueprint.recipe import Recipe
from vitzoo.data.order import epoch_order
from vitzoo.data.pipeline import Pipeline
from vitzoo.model.layout import Layout
from vitzoo.model.timm_names import create, describe
from vitzoo.training.start import from_scratch


class Scale(nn.Module):
    """timm's drop path with factors given from outside, one per image."""

    factors: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factors.view(-1, 1, 1)


def timm_model(one: Recipe, tensors: dict[str, torch.Tensor]) -> Any:
    model = create(describe(one.architecture, DIGITS), tensors).double()
    model.load_state_dict(tensors)
    for block in model.blocks:
        block.drop_path1, block.drop_path2 = Scale(), Scale()
    return model.train()


def drop(model: Any, rate: float, n: int, key: tuple) -> None:
    """Scale the branches as the recipe's draw says: a branch of an image is kept with a probability, and then grows."""
    draws = rng.stream(*key, "stochastic_depth").random((len(model.blocks), 2, n), dtype="float32")
    for i, block in enumerate(model.blocks):
        keep = torch.tensor(1 - rate * i / (len(model.blocks) - 1))
        factors = (torch.from_numpy(draws[i]) < keep) / keep  # in float32, as ours
        block.drop_path1.factors, block.drop_path2.factors = factors.double()


def info_nce(z: torch.Tensor, temperature: float) -> torch.Tensor:
    n = len(z)
    similarity = F.cosine_similarity(z[:, None], z[None], dim=-1) / temperature
    others = similarity[~torch.eye(n, dtype=torch.bool)].view(n, n - 1)
    partner = (torch.arange(n) + n // 2) % n
    return F.cross_entropy(others, partner - (partner > torch.arange(n)).long())


def batch_of(
    pipeline: Pipeline, images: torch.Tensor, labels: torch.Tensor, key: tuple
) -> tuple[torch.Tensor, torch.Tensor]:
    if pipeline.hyper.task == "contrastive":
        return pipeline.two_views(images, key), labels
    batch = pipeline.train_batch(images, labels, key)
    return batch.images, batch.targets


def loss_of(one: Recipe, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    if one.hyperparameters.temperature is not None:
        return info_nce(outputs, one.hyperparameters.temperature)
    return F.cross_entropy(outputs, targets.double())


def optimizer_of(one: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    h = one.hyperparameters
    if h.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), h.lr, h.betas, weight_decay=h.weight_decay)
    return torch.optim.SGD(model.parameters(), h.lr, h.momentum, weight_decay=h.weight_decay)


def trained_by_hand(one: Recipe) -> dict[str, torch.Tensor]:
    """Train one member as anyone would with timm and torch; only the batches are ours."""
    h = one.hyperparameters
    model = timm_model(one, {name: tensor.double() for name, tensor in from_scratch(one).items()})
    optimizer = optimizer_of(one, model)
    pipeline = Pipeline(one.augmentation, h, one.dataset, one.architecture.image_size, 10)
    steps = len(splits()[0]) // h.batch_size
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, h.epochs * steps)
    for epoch in range(1, h.epochs + 1):
        for step, index in enumerate(epoch_order(len(splits()[0]), h.batch_size, h.seed, epoch)):
            key = (h.seed, epoch, step)
            images, targets = batch_of(pipeline, *splits()[0].gather(index), key)
            drop(model, h.stochastic_depth, len(images), key)
            optimizer.zero_grad()
            loss_of(one, model(images.double()), targets).backward()
            if h.clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), h.clip)
            optimizer.step()
            if h.schedule == "cosine":
                schedule.step()
    return model.state_dict()


RECIPES = {
    "adamw, everything on": recipe(LINEAR, **MIXED, lr=3e-3, weight_decay=0.05, schedule="cosine", clip=0.5),
    "sgd, mlp head": recipe(MLP, **MIXED, optimizer="sgd", lr=3e-2, momentum=0.9, weight_decay=1e-3),
    "contrastive": recipe(PROJECTION, **VIEWS, lr=1e-3),
}


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_a_training_is_the_training_anyone_would_write(kind: str) -> None:
    one = RECIPES[kind]
    ours = Layout.of(one.architecture).views(trained([one], "float64")[-1].state.flat[0])
    theirs = trained_by_hand(one)
    start = from_scratch(one)
    for name, tensor in theirs.items():
        assert (ours[name] - tensor).abs().max() <= 1e-9, name
        assert (tensor - start[name]).abs().max() > 1e-5, f"{name} did not move"


@pytest.mark.parametrize("head", [LINEAR, MLP], ids=["linear", "mlp"])
def test_evaluation_covers_every_image(head: Any) -> None:
    """300 test images in batches of 256: the last batch has 44."""
    one = recipe(head, **MIXED)
    epochs = trained([one, one], "float64")
    pipeline = Pipeline(one.augmentation, one.hyperparameters, one.dataset, 8, 10)
    for epoch in epochs:
        model = create(describe(one.architecture, DIGITS), Layout.of(one.architecture).views(epoch.state.flat[1]))
        for split, suffix in zip(splits(), ("train_{}_clean", "test_{}"), strict=True):
            if suffix.startswith("train") and epoch.number < 2:
                continue
            loss, right = plain_evaluation(model.double(), split, pipeline)
            metrics = epoch.metrics[1]
            assert metrics
            assert metrics[suffix.format("loss")] == pytest.approx(loss, abs=1e-5)  # the images are float32
            assert metrics[suffix.format("acc")] == right


@torch.no_grad()
def plain_evaluation(model: Any, split: Any, pipeline: Pipeline) -> tuple[float, float]:
    loss = right = 0.0
    for i in range(len(split)):
        image, label = split.gather(torch.tensor([i]).numpy())
        logits = model(pipeline.eval_batch(image).double())
        loss += F.cross_entropy(logits, label).item()
        right += (logits.argmax() == label).sum().item()
    return loss / len(split), right / len(split)


def test_contrastive_evaluation_uses_fixed_views() -> None:
    one = recipe(PROJECTION, **VIEWS, epochs=1)
    first, second = (trained([one], "float64")[0].metrics[0] for _ in range(2))
    assert first and second
    assert first["test_loss"] == second["test_loss"]
    stack = population([one], "float64")
    pipeline = Pipeline(one.augmentation, one.hyperparameters, one.dataset, 8, 10)
    model = create(describe(one.architecture, DIGITS), from_scratch(one)).double()
    total = 0.0
    for number, begin in enumerate(range(0, 300, 16)):
        images, _ = stack.test.gather(torch.arange(begin, min(begin + 16, 300)).numpy())
        views = pipeline.two_views(images, ("test", number))
        with torch.no_grad():
            total += info_nce(model(views.double()), 0.2).item() * len(views)
    assert first["test_loss"] == pytest.approx(total / 600, abs=1e-5)

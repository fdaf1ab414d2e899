"""Methods of merging models of one lineage: a family a file, a line each here."""

from vitzoo.merging.methods import fisher, from_parent, regmean, soups, trajectory
from vitzoo.merging.methods.method import Ingredients, Merged, Method, Setting

_IMAGES = {"images": Setting(int, 2000, "held-out images to choose by, at most")}
_SEED = {"seed": Setting(int, 0, "of what is drawn")}

METHODS: dict[str, Method] = {
    "uniform": Method(soups.uniform, "the mean of models"),
    "last": Method(
        trajectory.last,
        "the mean of the last epochs of one member",
        {"k": Setting(int, 5, "how many epochs")},
        trajectory=True,
    ),
    "trailing": Method(
        trajectory.trailing,
        "the mean of a window of epochs of one member (LAWA)",
        {"window": Setting(int, 5, "how many epochs"), "end": Setting(int, None, "the last of them; none: the last")},
        trajectory=True,
    ),
    "ema": Method(
        trajectory.ema,
        "an exponential moving average of one member's epochs",
        {"decay": Setting(float, 0.8, "share of the average that the next epoch leaves")},
        trajectory=True,
    ),
    "interpolate": Method(
        from_parent.interpolate,
        "between the parent and a model, or the mean of models (WiSE-FT)",
        {"share": Setting(float, 0.5, "how far from the parent")},
        parent=True,
        least=1,
    ),
    "greedy": Method(soups.greedy, "the mean of those models that help on held-out images", _IMAGES, held_out=True),
    "learned": Method(
        soups.learned,
        "a mean with shares learned on held-out images",
        {
            **_IMAGES,
            "steps": Setting(int, 100, "of Adam"),
            "lr": Setting(float, 0.05, "learning rate of Adam"),
            "batch": Setting(int, 256, "images a step"),
            "per_tensor": Setting(bool, False, "whether each tensor has its own shares"),
            **_SEED,
        },
        held_out=True,
    ),
    "model-stock": Method(
        from_parent.model_stock, "from the parent towards the mean, as far as models agree", parent=True
    ),
    "task-arithmetic": Method(
        from_parent.task_arithmetic,
        "the parent and a multiple of the sum of differences from it",
        {"scale": Setting(float, None, "the multiple; none: the best on held-out images"), **_IMAGES},
        parent=True,
        held_out=True,
    ),
    "ties": Method(
        from_parent.ties,
        "the parent and those large differences whose signs are elected",
        {"keep": Setting(float, 0.2, "share kept of each model's"), "scale": Setting(float, 1.0, "of what is added")},
        parent=True,
    ),
    "dare": Method(
        from_parent.dare,
        "the mean of models most of whose differences are dropped, the rest stretched",
        {"drop": Setting(float, 0.9, "probability of dropping"), **_SEED},
        parent=True,
    ),
    "fisher": Method(
        fisher.fisher,
        "a mean weighted by the models' Fisher information, on training images",
        {
            "images": Setting(int, 512, "training images, at most"),
            "labels": Setting(str, "drawn", "drawn by the model, all expected of it, or true"),
            "floor": Setting(float, 1e-6, "weight of what no output depends on, a share of the mean"),
            **_SEED,
        },
    ),
    "regmean": Method(
        regmean.regmean,
        "linear layers that fit the models' own on training images",
        {"images": Setting(int, 512, "training images, at most"), "scale": Setting(float, 0.9, "of off-diagonals")},
    ),
}

__all__ = ["METHODS", "Ingredients", "Merged", "Method", "Setting"]

"""What the classes of the shipped sources are called, in the order of their labels."""

from collections.abc import Mapping
from typing import Any

CIFAR10 = "airplane automobile bird cat deer dog frog horse ship truck".split()  # noqa: SIM905
CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
""".split()  # noqa: SIM905  (a hundred pairs of quotes say nothing)


def labels(recipe: Mapping[str, Any], outputs: int) -> list[str] | None:
    """Return the name of each output; None if they are not classes, or of a source whose names we do not know.

    >>> labels({"dataset": {"source": "cifar10"}, "hyperparameters": {"task": "supervised"}}, 10)[3]
    'cat'
    """
    hyper, dataset = recipe.get("hyperparameters"), recipe.get("dataset")
    if not isinstance(hyper, dict) or hyper.get("task") != "supervised" or not isinstance(dataset, dict):
        return None
    names = _names(str(dataset.get("source")))
    return names if names is not None and len(names) == outputs else None


def _names(source: str) -> list[str] | None:
    if source == "imagenet":
        from vitzoo.compat import ensure_torchvision

        ensure_torchvision()
        from timm.data.imagenet_info import ImageNetInfo  # seconds; only here

        info = ImageNetInfo()
        return [info.index_to_description(label) for label in range(info.num_classes())]
    return {"digits": [str(digit) for digit in range(10)], "cifar10": CIFAR10, "cifar100": CIFAR100}.get(source)

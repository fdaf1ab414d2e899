"""What growing on real images gave, against the same model from scratch and pixel 1-nearest-neighbour.

Usage: python benchmarks/real_data.py ZOO SCRATCH_ZOO CIFAR100.npz

ZOO is grown from blueprints/tiny-cifar-cut.yaml, SCRATCH_ZOO from blueprints/cifar-scratch.yaml. The nearest neighbour
is found among all training images for 1,000 test images, drawn by a fixed seed, by Euclidean distance on raw pixels.
"""

import sys

import numpy as np
from step import cpu

import vitzoo

TESTED = 1000


def nearest_neighbour(path: str) -> float:
    """Return the accuracy of pixel 1-NN on a sample of the test split."""
    with np.load(path) as data:
        train, labels, test, truth = (data[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    chosen = np.random.default_rng(0).choice(len(test), TESTED, replace=False)
    known = train.reshape(len(train), -1).astype(np.float32)
    asked = test[chosen].reshape(TESTED, -1).astype(np.float32)
    distance = (known**2).sum(1) - 2 * asked @ known.T  # up to a constant of each test image
    return float((labels[distance.argmin(1)] == truth[chosen]).mean())


def main() -> None:
    """Print the table as markdown."""
    cut, scratch = vitzoo.open(sys.argv[1]), vitzoo.open(sys.argv[2])
    fine = cut.rows("stage = 'finetuning' AND is_last", order_by="-test_acc")
    alone = scratch.rows("is_last", order_by="-test_acc")
    print(f"CIFAR-100 test accuracy, all 10,000 images; {cpu()}\n")
    print("| model | optimizer | learning rate | epochs | test accuracy, % |\n|---|---|---|---|---:|")
    for rows, start in ((fine, None), (alone, "from scratch")):
        for row in rows:
            name = start or f"fine-tuned from {row['parent_task']} pre-training"
            print(f"| {name} | {row['optimizer']} | {row['lr']:g} | {row['epochs']} | {100 * row['test_acc']:.1f} |")
    print(f"| pixel 1-nearest-neighbour (n = {TESTED}) | | | | {100 * nearest_neighbour(sys.argv[3]):.1f} |")
    backbones = cut.rows("stage = 'pretraining' AND is_last")
    print("\nTop-1 on Tiny-ImageNet's validation split; contrastive: finding the other view in a batch.\n")
    print("| backbone | epochs | top-1, % |\n|---|---|---:|")
    for row in backbones:
        print(f"| {row['task']} | {row['epochs']} | {100 * row['test_acc']:.1f} |")


if __name__ == "__main__":
    main()

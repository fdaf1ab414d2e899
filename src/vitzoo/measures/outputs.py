"""What is kept of a model's outputs: loss, accuracy, classes, and the logits in half the space."""

import numpy as np

from vitzoo.measures.cache import Arrays

BLOCK = 1 << 20  # logits at a time that are looked at in float64


def describe(outputs: np.ndarray, labels: np.ndarray) -> Arrays:
    """Return what is kept of logits [N, C] for labels [N]: loss, accuracy, classes, and the logits in 16 bits.

    Logits are kept relative to each image's largest, which no softmax and no argmax sees, so that half precision
    resolves best what matters most. The loss is computed before, in float64.

    >>> kept = describe(np.array([[1.0, 3.0], [2.0, 0.0]], np.float32), np.array([1, 1]))
    >>> float(kept["accuracy"]), kept["classes"].tolist(), kept["logits"].tolist()
    (0.5, [1, 0], [[-2.0, 0.0], [0.0, -2.0]])
    """
    images, outputs_each = outputs.shape
    classes = outputs.argmax(axis=1)
    loss, kept = np.empty(images), np.empty(outputs.shape, np.float16)
    step = max(1, BLOCK // outputs_each)
    for start in range(0, images, step):  # all at once would need several times the memory of the logits
        part = slice(start, start + step)
        wide = outputs[part].astype(np.float64)
        wide -= wide.max(axis=1, keepdims=True)
        kept[part] = np.clip(wide, np.finfo(np.float16).min, 0)
        loss[part] = np.log(np.exp(wide).sum(axis=1)) - wide[np.arange(len(wide)), labels[part]]
    return {
        "loss": np.array(loss.mean()),
        "accuracy": np.array((classes == labels).mean()),
        "classes": classes.astype(np.min_scalar_type(outputs_each - 1)),
        "logits": kept,
    }

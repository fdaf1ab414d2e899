"""Averages over the epochs of one member.

The last epochs, as in the paper's section 4.2; LAWA, which averages a trailing window (Kaddour 2022, arXiv 2209.14981);
an exponential moving average (Polyak and Juditsky 1992).
"""

from vitzoo.errors import InputError
from vitzoo.merging import average
from vitzoo.merging.methods.method import Ingredients, Merged


def last(of: Ingredients, k: int) -> Merged:
    """Average the last ``k`` epochs."""
    return trailing(of, k, None)


def trailing(of: Ingredients, window: int, end: int | None) -> Merged:
    """Average the ``window`` epochs that end with epoch ``end``, by default with the last."""
    stop = len(of.epochs) if end is None else _place(of.epochs, end) + 1
    if not 1 < window <= stop:
        raise InputError(
            f"A window of {window} epochs does not fit: {stop} are kept up to epoch {of.epochs[stop - 1]}, but for the "
            "one before training. An average is of 2 at least."
        )
    shares = [0.0] * len(of.epochs)
    shares[stop - window : stop] = [1 / window] * window
    return Merged(average.uniform(of.models[stop - window : stop]), shares)


def ema(of: Ingredients, decay: float) -> Merged:
    """Average all epochs exponentially: each later one enters with 1 - ``decay``, the first with all of it."""
    if not 0 <= decay < 1:
        raise InputError(f"A decay of {decay} is no average; use at least 0 and less than 1.")
    count = len(of.models)
    shares = [decay ** (count - 1), *((1 - decay) * decay ** (count - 1 - i) for i in range(1, count))]
    return Merged(average.exponential(of.models, decay), shares)


def _place(epochs: tuple[int, ...], epoch: int) -> int:
    if epoch not in epochs:
        raise InputError(f"There is no checkpoint of epoch {epoch}; there are {', '.join(map(str, epochs))}.")
    return epochs.index(epoch)

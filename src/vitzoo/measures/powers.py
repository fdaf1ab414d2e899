"""Sums over many numbers in C: ``powers.c``, compiled for this machine. None of it where there is no compiler.

The same sums by NumPy, which makes a pass over float64 copies for each of them, are in ``moments`` and ``gram``; they
differ by rounding only.
"""

import ctypes
from functools import lru_cache
from pathlib import Path

import numpy as np

from vitzoo import native
from vitzoo.errors import InputError

FLAGS = ("-O3", "-fno-math-errno", "-fno-trapping-math")
TARGETS = (("-march=native", "-mprefer-vector-width=512"), ("-march=native",), ("-mcpu=native",), ())


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Load the functions; None where there is no compiler."""
    try:
        found = native.load(Path(__file__).with_name("powers.c"), FLAGS, TARGETS)
    except InputError:
        return None
    found.difference.restype = ctypes.c_double
    return found


def serves(*arrays: np.ndarray) -> bool:
    """Whether the functions can take these: float32, each row in one run, and there are functions."""
    usual = all(x.dtype == np.float32 and x.strides[-1] == x.itemsize for x in arrays)
    return usual and library() is not None


def sums(x: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    """Return the sums of the first four powers of x - pivot, float64 [M, 4], of x [M, N] and pivot [M]."""
    call, found = _function("power_sums"), np.empty((len(x), 4))
    for row, own, out in zip(x, pivot, found, strict=True):
        call(_at(row), ctypes.c_long(row.size), ctypes.c_double(own), _at(out))
    return found


def difference(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> float:
    """Write x - y [N] to ``out`` and return its squared length, summed in float64."""
    return _function("difference")(_at(x), _at(y), ctypes.c_long(x.size), _at(out))


def _function(name: str):
    found = library()
    assert found is not None, "ask `serves` first"
    return getattr(found, name)


def _at(x: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(x.ctypes.data)

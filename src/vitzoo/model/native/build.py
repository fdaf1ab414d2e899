"""The kernels, compiled for this machine."""

import ctypes
from functools import lru_cache
from pathlib import Path

from vitzoo import native
from vitzoo.errors import InputError

#: Sums may be reordered; infinities stay, because they mark what is left out of a softmax. Not -ffast-math, which links
#: code that makes the whole process flush subnormal numbers to zero.
FLAGS = ("-O3", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math", "-freciprocal-math")
#: Best first: for this processor with approximate reciprocals, for this processor, for any.
TARGETS = (("-march=native", "-mrecip"), ("-march=native",), ("-mcpu=native",), ())


def why_not() -> str | None:
    """Return why the kernels cannot be used on this machine, as a sentence, or None where they can."""
    try:
        library()
    except InputError as error:
        return str(error)
    return None


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """Load the kernels, compiling them if this machine has not yet; InputError as ``native.load``."""
    return native.load(Path(__file__).with_name("kernels.c"), FLAGS, TARGETS)

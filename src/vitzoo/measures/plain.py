"""Results as plain JSON data, which knows no infinity and no NaN."""

import math
from typing import Any


def finite(value: Any) -> Any:
    """Return data with ``None`` for every number that is not finite; tuples become lists.

    >>> finite({"a": (1.0, float("nan")), "b": float("inf")})
    {'a': [1.0, None], 'b': None}
    """
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

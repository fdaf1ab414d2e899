"""The README of a zoo: what it is in words and figures, from its catalogue."""

from vitzoo.sharing.readme.write import write

__all__ = ["write"]

"""How a batch of a population is cut into micro-batches: first between members, then between images.

The size that matters is tokens (members x images x tokens of an image): activations grow with it, so it decides what
fits into memory, or into a cache.
"""

from typing import NamedTuple


class Chunks(NamedTuple):
    """Every span of members is computed with every span of images; together they cover each image of each member."""

    members: list[slice]
    images: list[slice]

    @property
    def largest(self) -> int:
        """Images of members in the largest chunk."""
        return max(map(_length, self.members)) * max(map(_length, self.images))

    @property
    def single(self) -> bool:
        """Whether everything is computed at once."""
        return len(self.members) * len(self.images) == 1


def chunks(members: int, images: int, tokens: int, micro: int | None) -> Chunks:
    """Cut ``images`` of each of ``members``, ``tokens`` tokens each, so that a chunk has at most ``micro`` tokens.

    A chunk has at least one image of one member, however many tokens that is; None computes all at once. Images are
    cut only where not even one member's fit.

    >>> chunks(5, 4, tokens=10, micro=80)
    Chunks(members=[slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)], images=[slice(0, 4, None)])
    >>> chunks(2, 4, tokens=10, micro=30).images
    [slice(0, 2, None), slice(2, 4, None)]
    """
    most = members * images if micro is None else max(1, micro // tokens)
    if most >= images:
        return Chunks(spans(members, max(1, most // max(1, images))), spans(images, images))
    return Chunks(spans(members, 1), spans(images, most))


def spans(n: int, most: int) -> list[slice]:
    """Cut range(n) into the fewest spans of at most ``most``, as equal as can be, the longer first.

    >>> [(span.start, span.stop) for span in spans(7, 3)]
    [(0, 3), (3, 5), (5, 7)]
    """
    count = max(1, -(-n // max(1, most)))
    return [part(n, i, count) for i in range(count)]


def part(n: int, which: int, count: int) -> slice:
    """Return part ``which`` of range(n) in ``count`` parts as equal as can be, the longer first.

    >>> [part(5, i, 2) for i in range(2)]
    [slice(0, 3, None), slice(3, 5, None)]
    """
    short, longer = divmod(n, count)
    start = which * short + min(which, longer)
    return slice(start, start + short + (which < longer))


def _length(span: slice) -> int:
    return span.stop - span.start

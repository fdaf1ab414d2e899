"""The first line of a README that vitzoo wrote: a digest of what follows, so that a person's change is noticed."""

import hashlib
import re

_MARK = re.compile(r"<!-- Written by vitzoo from the catalogue\..* sha256:([0-9a-f]{64}) -->\n", re.ASCII)


def marked(text: str) -> str:
    """Return a text with the line in front that says who wrote it.

    >>> is_ours(marked("# nano")), is_ours("# nano"), is_ours(marked("# nano").replace("nano", "mine"))
    (True, False, False)
    """
    how = "It is written anew when the zoo grows, unless you change it: then it is yours."
    return f"<!-- Written by vitzoo from the catalogue. {how} sha256:{_digest(text)} -->\n{text}"


def is_ours(text: str) -> bool:
    """Say whether vitzoo wrote a text, and nobody changed it since."""
    match = _MARK.match(text)
    return match is not None and match[1] == _digest(text[match.end() :])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

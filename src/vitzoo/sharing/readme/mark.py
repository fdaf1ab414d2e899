"""A line in a text that vitzoo wrote: a digest of the rest, so that a person's change is noticed and kept.

It is the first line, or the first after the metadata that a card on the hub begins with.
"""

import hashlib
import re

_HOW = "It is written anew unless you change it: then it is yours."
_MARK = re.compile(
    r"(?:<!--|#) Written by vitzoo from the catalogue\. [^\n]* sha256:([0-9a-f]{64})(?: -->)?\n", re.ASCII
)
_METADATA = re.compile(r"---\n.*?\n---\n", re.DOTALL)


def marked(text: str, metadata: str = "") -> str:
    """Return a Markdown text with the mark in front; ``metadata`` (YAML) goes before it, as cards have it.

    >>> is_ours(marked("# nano")), is_ours("# nano"), is_ours(marked("# nano").replace("nano", "mine"))
    (True, False, False)
    >>> is_ours(marked("# nano", "license: mit")), is_ours(marked("# nano", "license: mit").replace("mit", "gpl"))
    (True, False)
    """
    front = f"---\n{metadata.strip()}\n---\n" if metadata else ""
    return f"{front}<!-- Written by vitzoo from the catalogue. {_HOW} sha256:{_digest(front + text)} -->\n{text}"


def marked_yaml(text: str) -> str:
    """Return a YAML document with the mark in front, as a comment.

    >>> is_ours(marked_yaml("a: 1")), is_ours(marked_yaml("a: 1") + "b: 2")
    (True, False)
    """
    return f"# Written by vitzoo from the catalogue. {_HOW} sha256:{_digest(text)}\n{text}"


def is_ours(text: str) -> bool:
    """Say whether vitzoo wrote a text, and nobody changed it since."""
    front = metadata_of(text)
    match = _MARK.match(text, len(front))
    return match is not None and match[1] == _digest(front + text[match.end() :])


def metadata_of(text: str) -> str:
    """Return the metadata that a card begins with, its rules included; empty if there is none.

    >>> metadata_of("---\\nlicense: mit\\n---\\n# nano")
    '---\\nlicense: mit\\n---\\n'
    """
    match = _METADATA.match(text)
    return match[0] if match else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

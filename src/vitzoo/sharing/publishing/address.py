"""Where on the hub a zoo and its members go: names that the hub accepts, and their pages."""

import re
from dataclasses import dataclass

from vitzoo.errors import InputError

LONGEST = 96  # characters of a repository's name
_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?", re.ASCII)
_REFUSED = re.compile(r"--|\.\.|\.git$")


@dataclass(frozen=True)
class Address:
    """A user or organisation, and the name of a repository of theirs."""

    user: str
    name: str

    @property
    def id(self) -> str:
        """The repository's id, ``user/name``."""
        return f"{self.user}/{self.name}"

    def beside(self, name: str) -> "Address":
        """Return the address of another repository of the same user."""
        return Address(self.user, name)


def parse(text: str) -> Address:
    """Read ``USER/NAME``; InputError if the hub would refuse it.

    >>> parse("me/nano").id
    'me/nano'
    >>> parse("nano")
    Traceback (most recent call last):
    ...
    vitzoo.errors.InputError: 'nano' is no address on the hub. Write USER/NAME, such as me/nano.
    """
    user, slash, name = text.partition("/")
    if not slash:
        raise InputError(f"{text[:200]!r} is no address on the hub. Write USER/NAME, such as me/nano.")
    for part in (user, name):
        if not _is_name(part):
            raise InputError(
                f"{part[:200]!r} cannot be a name on the hub. Use at most {LONGEST} letters, digits, '-', '_' and '.', "
                "not beginning or ending in '-' or '.', without '--' or '..'."
            )
    return Address(user, name)


def model_name(zoo: str, member: str, digest: str) -> str:
    """Return the name of a member's own repository: the zoo's, the member's, and its id where one had to be changed.

    >>> model_name("nano", "ft_linear-273fc5ba", "273fc5ba66bc")
    'nano-ft_linear-273fc5ba'
    >>> model_name("nano", "a=1--b", "273fc5ba66bc")
    'nano-a-1-b-273fc5ba'
    """
    wanted = f"{zoo}-{member}"
    if _is_name(wanted):
        return wanted
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted)
    clean = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", clean))
    return f"{clean[: LONGEST - 9].rstrip('-.')}-{digest[:8]}"


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST and _PART.fullmatch(text) is not None and _REFUSED.search(text) is None

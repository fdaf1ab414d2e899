"""The error tree: every failure a user can cause or meet says what, where and what to do.

Exit codes belong to the error, so the command line maps them in one place:
1 failed, 2 usage, 3 bad blueprint or input, 4 integrity failure, 130/143 interrupted.
"""

import difflib
from collections.abc import Iterable


class VitzooError(Exception):
    """Base of all errors raised on purpose; its text is a whole sentence for the user."""

    exit_code = 1


class BlueprintError(VitzooError):
    """A blueprint that cannot be read, or that describes something impossible."""

    exit_code = 3


class DataError(VitzooError):
    """A data set that is missing, incomplete or not in the declared form."""

    exit_code = 3


class InputError(VitzooError):
    """An argument, query or name that does not fit the zoo it is used on."""

    exit_code = 3


class IntegrityError(VitzooError):
    """Bytes on disk that are not what the zoo says they are."""

    exit_code = 4


class BusyError(VitzooError):
    """Another process is growing this zoo."""


class Interrupted(VitzooError):
    """Growing was stopped by a signal; what was committed stays and the next call resumes.

    The exit code is the shell's for that signal: 130 for SIGINT, 143 for SIGTERM.
    """

    def __init__(self, text: str, signal_number: int = 2) -> None:
        super().__init__(text)
        self.exit_code = 128 + signal_number


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest known name, or an empty string.

    >>> nearest("epoch", ["epochs", "seed"])
    " Did you mean 'epochs'?"
    >>> nearest("zzz", ["epochs"])
    ''
    """
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {match[0]!r}?" if match else ""

"""What is asked of a server: parts of files, and which version of a file it has."""

from typing import Protocol


class Server(Protocol):
    """One folder on a server; paths are relative to it. Calls may come from several threads."""

    def get(self, path: str, begin: int, end: int) -> bytes:
        """Return the bytes of a file from ``begin`` to before ``end``; fewer only if the file ends there.

        Raises:
            FileNotFoundError: there is no such file.
            PermissionError: it may not be read.
            OSError: the server cannot be reached, or cannot do this; patience has not helped.
            IntegrityError: it answered with something else.
        """
        ...

    def version(self, path: str) -> str | None:
        """Return what changes whenever the file does, ``None`` if the server does not say; errors as ``get``."""
        ...

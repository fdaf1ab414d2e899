"""Parts of files in S3, or in what speaks like it.

Credentials, region and endpoint come from where AWS's own tools have them; s3fs repeats what fails in passing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NO_CREDENTIALS = "no credentials were found; a public bucket needs none if FSSPEC_S3_ANON=true is set"


class S3:
    """The ``Server`` of a bucket, or of what lies under a prefix of it."""

    def __init__(self, root: str) -> None:
        from s3fs import S3FileSystem

        self._root = root
        self._system = S3FileSystem(skip_instance_cache=True, use_listings_cache=False)

    def get(self, path: str, begin: int, end: int) -> bytes:
        try:
            with _told():
                data: Any = self._system.cat_file(f"{self._root}/{path}", start=begin, end=end)
                return data
        except OSError as error:
            if _is_past_end(error):
                return b""
            raise

    def version(self, path: str) -> str | None:
        with _told():
            return self._system.info(f"{self._root}/{path}").get("ETag")


@contextmanager
def _told() -> Iterator[None]:
    """Turn what is no OSError into one."""
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    try:
        yield
    except NoCredentialsError:
        raise PermissionError(NO_CREDENTIALS) from None
    except BotoCoreError as error:
        raise OSError(str(error)) from error


def _is_past_end(error: OSError) -> bool:
    answer = getattr(error.__cause__, "response", None)
    return isinstance(answer, dict) and answer.get("Error", {}).get("Code") in ("InvalidRange", "416")

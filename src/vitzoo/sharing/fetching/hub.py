"""A folder of a repository on the Hugging Face hub: listed by the hub's own client, one commit throughout."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from vitzoo import __version__
from vitzoo.errors import DataError, InputError, VitzooError
from vitzoo.sharing.fetching.names import check_followed
from vitzoo.sharing.fetching.patience import Patience
from vitzoo.sharing.fetching.source import Body, Digest, Entry, Mark, SourceError, join
from vitzoo.sharing.fetching.web import Web

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile, RepoFolder

MAX_FILES = 1_000_000  # in a repository, with its folders


class HubFolder:
    """A source below ``hf://datasets/owner/name[@revision][/folder]``; a token is found as the hub's client finds it.

    The revision is resolved to a commit first, so that all files belong together whatever is pushed meanwhile. The tree
    is listed once, 1,000 names a request. Large files have a SHA-256 there, the others git's SHA-1.
    """

    def __init__(self, address: str, patience: Patience, insecure: bool = False) -> None:
        from huggingface_hub import HfApi, HfFileSystem
        from huggingface_hub.utils import build_hf_headers

        self._api = HfApi()
        with _explained(address):
            place: Any = HfFileSystem().resolve_path(address)
            if not hasattr(place, "repo_id"):
                raise InputError(f"{address!r} is a bucket; only repositories of the hub can be fetched from.")
            self._repo, self._type, self._folder = place.repo_id, place.repo_type, place.path_in_repo
            commit = self._api.repo_info(self._repo, revision=place.revision, repo_type=self._type).sha
        if not commit:
            raise DataError(f"{address!r} has no commit.")
        self.address, self._commit = address, commit
        self._web = Web(patience, insecure, build_hf_headers(library_name="vitzoo", library_version=__version__))
        self._listing: dict[str, list[Entry]] | None = None

    def entries(self, folder: str) -> list[Entry]:
        if self._listing is None:
            self._listing = self._tree()
        if folder not in self._listing:
            raise SourceError(f"{self.address} has no folder {folder!r}.")
        return self._listing[folder]

    def read(self, entry: Entry, mark: Mark | None) -> AbstractContextManager[Body]:
        from huggingface_hub import hf_hub_url

        path = join(self._folder, entry.path)
        url = hf_hub_url(self._repo, path, repo_type=self._type, revision=self._commit, endpoint=self._api.endpoint)
        return self._web.file(url, entry, mark)

    def _tree(self) -> dict[str, list[Entry]]:
        """What each folder holds; git has no empty ones, so they follow from the files."""
        found: dict[str, list[Entry]] = {"": []}
        with _explained(self.address):
            listed = self._api.list_repo_tree(
                self._repo, self._folder or None, recursive=True, revision=self._commit, repo_type=self._type
            )
            for number, item in enumerate(listed):
                if number == MAX_FILES:
                    raise DataError(f"{self.address} holds more than {MAX_FILES:,} files; no zoo has so many.")
                if hasattr(item, "size"):
                    self._add(item, found)
        return found

    def _add(self, item: "RepoFile | RepoFolder", found: dict[str, list[Entry]]) -> None:
        path = item.path.removeprefix(f"{self._folder}/") if self._folder else item.path
        for name in path.split("/"):
            check_followed(name, self.address)
        lfs = getattr(item, "lfs", None)
        digest = Digest("sha256", lfs.sha256) if lfs else Digest("git", getattr(item, "blob_id", ""))
        entry = Entry(path, int(getattr(item, "size", 0)), digest.hexadecimal, digest)
        above, _, _ = path.rpartition("/")
        while above not in found:
            found[above] = [entry]
            entry = Entry(above)
            above, _, _ = above.rpartition("/")
        found[above].append(entry)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """Turn what the hub's client raises into SourceError; it has tried again where that may help."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    said = {401: "needs a token", 403: "may not be read", 404: "does not exist"}
    try:
        yield
    except VitzooError:
        raise
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise SourceError(f"{address} {said.get(status, 'cannot be read')} (status {status}).") from error
    except OfflineModeIsEnabled as error:
        raise SourceError(f"{address} cannot be read: HF_HUB_OFFLINE is set.") from error
    except FileNotFoundError as error:
        raise SourceError(f"{address} does not exist, or needs a token.") from error
    except Exception as error:  # those of the HTTP client below, and of what an answer lacks
        raise SourceError(f"{address} cannot be read: {str(error)[:200] or type(error).__name__}.") from error

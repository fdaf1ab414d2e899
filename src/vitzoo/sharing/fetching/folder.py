"""A folder on the web whose listings are nginx's in JSON."""

from contextlib import AbstractContextManager

from vitzoo.sharing.fetching import addresses, index
from vitzoo.sharing.fetching.source import Body, Entry, Mark
from vitzoo.sharing.fetching.web import Web


class WebFolder:
    """A source over HTTP."""

    def __init__(self, address: str, web: Web) -> None:
        self.address = address
        self._web = web

    def entries(self, folder: str) -> list[Entry]:
        url = addresses.below(self.address, f"{folder}/" if folder else "")
        return index.parse(self._web.small(url, index.MAX_BYTES), folder, url)

    def read(self, entry: Entry, mark: Mark | None) -> AbstractContextManager[Body]:
        return self._web.file(addresses.below(self.address, entry.path), entry, mark)

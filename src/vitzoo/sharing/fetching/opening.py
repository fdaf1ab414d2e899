"""From an address to a source."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

from vitzoo.errors import InputError, nearest
from vitzoo.sharing.fetching import addresses
from vitzoo.sharing.fetching.filesystem import FileSystemFolder
from vitzoo.sharing.fetching.folder import WebFolder
from vitzoo.sharing.fetching.hub import HubFolder
from vitzoo.sharing.fetching.patience import Patience
from vitzoo.sharing.fetching.s3 import S3Folder
from vitzoo.sharing.fetching.source import Source
from vitzoo.sharing.fetching.web import Web

PUBLISHED = "https://ai.unisg.ch/files/weight_space_learning/model_zoos/vit-modelzoo/"
UNENCRYPTED = frozenset({"ftp"})  # anybody on the way could change what arrives
EXAMPLES = "https://…, s3://bucket/folder, hf://datasets/owner/name or file:///folder"


def open_source(
    address: str = PUBLISHED,
    insecure: bool = False,
    patience: Patience | None = None,
    options: dict[str, Any] | None = None,
) -> Source:
    """Open the place that an address names; nothing is listed yet.

    ``options`` are handed to fsspec's file system (S3 and others; see its documentation).

    >>> open_source("https://example.org/zoo").address
    'https://example.org/zoo/'

    Raises:
        InputError: it is no such address, or not an encrypted one.
    """
    patience = patience or Patience()
    protocol, separator, path = address.partition("://")
    if not separator:
        if not Path(address).is_dir():
            raise InputError(f"{address!r} is neither a folder here nor an address, which looks like {EXAMPLES}.")
        return FileSystemFolder(f"file://{Path(address).absolute()}", {})
    if protocol == "file":
        return FileSystemFolder(f"file://{unquote(path)}", {})
    if "::" in address:
        raise InputError(f"{address!r} joins several addresses; give one, such as {EXAMPLES}.")
    if protocol in ("http", "https"):
        return WebFolder(addresses.base(address, insecure), Web(patience, insecure))
    if protocol == "hf":
        return HubFolder(address.rstrip("/"), patience, insecure)
    if protocol in ("s3", "s3a"):
        return S3Folder(address, options or {})
    _check_known(protocol)
    return FileSystemFolder(address, options or {})


def _check_known(protocol: str) -> None:
    from fsspec import available_protocols

    known = sorted({*available_protocols()} - UNENCRYPTED)
    if protocol not in known:
        raise InputError(f"Nothing here reads {protocol}:// addresses.{nearest(protocol, known)}")

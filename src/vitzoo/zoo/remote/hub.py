"""Data sets on the Hugging Face hub: a revision is looked up once, its files are then those of one commit for good."""

import re
from dataclasses import replace

from vitzoo.errors import InputError, VitzooError
from vitzoo.zoo.remote.address import Address, is_safe, on_hub
from vitzoo.zoo.remote.http import Http

_COMMIT = re.compile(r"[0-9a-f]{40,64}", re.ASCII)


def pinned(address: Address) -> Address:
    """Return the address with its revision replaced by the commit that it is now; of a commit nothing is asked.

    InputError if there is no such data set or revision, or it may not be read.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HTTPError,  # pyright: ignore[reportPrivateImportUsage]  (of whichever client it uses)
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    wanted = on_hub(address)
    if wanted.revision and _COMMIT.fullmatch(wanted.revision):
        return address
    try:
        commit = HfApi().dataset_info(wanted.repository, revision=wanted.revision, timeout=30).sha
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        what = "no such revision" if isinstance(error, RevisionNotFoundError) else "no such data set, or it is closed"
        raise InputError(f"{address}: there is {what}. Check the name; `hf auth login` opens what is yours.") from None
    except (HTTPError, OSError) as error:
        raise VitzooError(f"{address}: the hub cannot be asked: {error}. Check the network and repeat.") from error
    if commit is None or not _COMMIT.fullmatch(commit):
        raise VitzooError(f"{address}: the hub does not say which commit that is. Repeat later.")
    folder = f"/{wanted.folder}" if wanted.folder else ""
    return replace(address, rest=f"datasets/{wanted.repository}@{commit}{folder}")


def server(address: Address) -> Http:
    """Return the server of a pinned address. InputError if the hub's own address, $HF_ENDPOINT, is not safe."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    wanted = on_hub(address)
    folder = wanted.folder or "."
    url = hf_hub_url(wanted.repository, folder, repo_type="dataset", revision=wanted.revision).removesuffix("/.")
    if not is_safe(url):
        raise InputError(f"$HF_ENDPOINT makes {address} {url}, which is not encrypted. Use https.")
    token = {name: value for name, value in build_hf_headers().items() if name.lower() == "authorization"}
    return Http(url, token, wanted.revision)

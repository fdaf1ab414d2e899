"""Send repositories to the hub with the hub's own client, in parts that are commits; what is there is not sent again.

A part is as large as the hub recommends for one commit. The client compares every file with what the hub has, so a
repeated upload goes on where the last one stopped. The card is in the first part, where the client has the hub validate
it before anything is sent; ``zoo.json`` is in the last: until all is there, the repository is no zoo.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from vitzoo.errors import InputError, VitzooError
from vitzoo.sharing.publishing import folder
from vitzoo.sharing.publishing.repository import File, Repository
from vitzoo.zoo.files import Tell

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PART_FILES = 100
PART_BYTES = 5_000_000_000
MAX_WORDS = 300  # characters of an error of the client that are told
KEPT = frozenset({".gitattributes"})  # the hub puts it into every new repository


@dataclass(frozen=True)
class Uploaded:
    """A repository on the hub: its page, and the number of parts it was sent in."""

    url: str
    parts: int


def check_login() -> None:
    """Raise InputError if there is no token that the hub's client could use."""
    from huggingface_hub import get_token

    with explained("find a token"):
        token = get_token()
    if not token:
        raise InputError(
            "Publishing needs a token of the hub with write access. Run `hf auth login`, or set HF_TOKEN. "
            "With --dry-run everything is prepared without one."
        )


def upload(repositories: Sequence[Repository], private: bool, tell: Tell) -> list[Uploaded]:
    """Make the repositories where they are not there, and send what they lack.

    InputError if the hub refuses a card or the token, or if a repository holds something else. VitzooError if the
    connection fails; what was committed stays, and the same call goes on.
    """
    from huggingface_hub import HfApi

    api, total, done, found = HfApi(), sum(r.bytes for r in repositories), 0, []
    with _quiet():
        for repository in repositories:
            _create(api, repository, private)
            parts = list(split(repository.files))
            for number, part in enumerate(parts, 1):
                of = f", part {number} of {len(parts)}" if len(parts) > 1 else ""
                _send(api, repository, part, f"Publish with vitzoo{of}")
                done += sum(file.size for file in part)
                tell("Uploading", done, total)
            found.append(Uploaded(repository.url(api.endpoint), len(parts)))
    return found


def split(files: Sequence[File]) -> Iterator[list[File]]:
    """Divide files into parts, in their order.

    >>> from vitzoo.sharing.publishing.repository import made
    >>> [len(part) for part in split([made(f"{i}.json", "{}") for i in range(250)])]
    [100, 100, 50]
    """
    part: list[File] = []
    size = 0
    for file in files:
        if part and (len(part) == PART_FILES or size + file.size > PART_BYTES):
            yield part
            part, size = [], 0
        part.append(file)
        size += file.size
    if part:
        yield part


def _create(api: "HfApi", repository: Repository, private: bool) -> None:
    name, kind = repository.address.id, repository.kind
    with explained(f"make {name}"):
        api.create_repo(name, repo_type=kind, private=private or None, exist_ok=True)
        is_public = not api.repo_info(name, repo_type=kind).private
        there = api.list_repo_files(name, repo_type=kind)
    if private and is_public:
        raise InputError(f"{name} is there and public. Make it private on the hub, or publish to another name.")
    if foreign := sorted({*there} - {file.place for file in repository.files} - KEPT):
        raise InputError(
            f"{name} on the hub holds files that are no part of this, such as {foreign[0]!r}, {len(foreign):,} in all. "
            "Publish to another name, or delete them there first."
        )


def _send(api: "HfApi", repository: Repository, part: list[File], message: str) -> None:
    with TemporaryDirectory(prefix="vitzoo-") as place, explained(f"send {part[0].place} and what follows"):
        folder.mirror(Path(place), part)
        api.upload_folder(
            repo_id=repository.address.id, folder_path=place, repo_type=repository.kind, commit_message=message
        )


@contextmanager
def explained(deed: str) -> Iterator[None]:
    """Turn whatever the hub's client raises, which differs between its versions, into a sentence without the token."""
    try:
        yield
    except VitzooError:
        raise
    except Exception as error:
        chain = list(_chain(error))
        reason = ": ".join(dict.fromkeys(_words(one) for one in chain))
        status = next((code for one in chain if (code := _status(one))), None)
        if status in (401, 403):
            remedy = "Run `hf auth login` with a token that may write there."
            raise InputError(f"The hub does not let you {deed}: {reason}. {remedy}") from error
        if isinstance(error, ValueError):
            raise InputError(f"The hub does not {deed}: {reason}.") from error
        raise VitzooError(
            f"The hub's client could not {deed}: {reason}. What was sent before stays on the hub; run the same command "
            "again to go on."
        ) from error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _words(error: BaseException) -> str:
    return (" ".join(str(error).split())[:MAX_WORDS] or type(error).__name__).rstrip(". ")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the client's own bars and remarks off the terminal: progress is told once, and errors are raised."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    shown, level = not are_progress_bars_disabled(), logging.get_verbosity()
    disable_progress_bars()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            enable_progress_bars()

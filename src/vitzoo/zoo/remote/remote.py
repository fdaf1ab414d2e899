"""The ``Files`` of a zoo on a server: a tree on this machine that fills with what is read."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError, nearest
from vitzoo.zoo import safetensors_io
from vitzoo.zoo.disk import silent
from vitzoo.zoo.files import Listed, Tell
from vitzoo.zoo.layout import CATALOGUE, MANIFEST, WEIGHTS
from vitzoo.zoo.remote import mirror, published
from vitzoo.zoo.remote.pieces import Pieces, lacking
from vitzoo.zoo.remote.place import AGAIN, MissingError, Place
from vitzoo.zoo.safetensors_header import PREFIX, Slot, header_length, parse_header

if TYPE_CHECKING:
    import numpy as np

    from vitzoo.zoo.catalogue import Catalogue
    from vitzoo.zoo.checkpoint import Checkpoint
    from vitzoo.zoo.store import Zoo

START = 16 << 10  # bytes of a file that are fetched for its header; that of a ViT with 12 blocks has 15,000
AT_ONCE = 8  # files, or stretches of one, that are fetched at once
PIECES = "pieces"


class Remote:
    """The ``Files`` of a zoo on a server. ``root`` is the tree on this machine, with the catalogue in it."""

    def __init__(self, server: Place, root: Path) -> None:
        self.root = root
        self.tell: Tell = silent
        self._server = server
        self._catalogue: Catalogue | None
        self._catalogue, self._listing = published.load(root / CATALOGUE, server.url(CATALOGUE))

    def __getstate__(self) -> dict[str, Any]:
        # A catalogue cannot go to another process, and nobody there would be told.
        return self.__dict__ | {"_catalogue": None, "tell": silent}

    @property
    def place(self) -> str:
        return str(self._server.address)

    def members(self, stage: str) -> list[Path]:
        return [self.root / place for place in self._listing if place.startswith(f"{stage}/")]

    def listed(self, member: Path) -> Listed | None:
        found = self._listing.get(self._relative(member))
        if found is None:
            raise IntegrityError(f"{self._url(member)} is no member that the catalogue speaks of. {AGAIN}.")
        return found

    def near(self, path: Path) -> Path:
        """As in ``Files``; IntegrityError if the file is not what the catalogue says, and then it is not kept."""
        if not path.is_file():
            relative = path.relative_to(self.root)
            try:
                data = self._server.read(relative.as_posix(), published.limit(path.name))
            except MissingError:
                if path.name in published.OPTIONAL:
                    return path
                raise
            published.check(relative, data, self._listing, self._url(path))
            mirror.store(path, [data])
        return path

    def catalogue(self, zoo: "Zoo", kept: "Catalogue | None") -> "Catalogue":
        if self._catalogue is None:
            self._catalogue, _ = published.load(self.root / CATALOGUE, self._server.url(CATALOGUE))
        return self._catalogue

    def header(self, checkpoint: "Checkpoint") -> dict[str, Slot]:
        """As in ``Files``; fetched are the manifest and the first bytes, at once, and kept if they fit together."""
        whole = mirror.weights(checkpoint.sha256)
        if whole.is_file():
            return safetensors_io.read_header(whole)
        pieces, url = _pieces(checkpoint), self._url(checkpoint.path / WEIGHTS)
        start = known = pieces.start()
        if not known:
            with ThreadPoolExecutor(1) as pool:
                first = pool.submit(self._server.get, self._relative(checkpoint.path / WEIGHTS), 0, START)
                self.near(checkpoint.path / MANIFEST)
                start = first.result()
        size = _size(checkpoint)
        length = header_length(start[:PREFIX], size, url)
        start += self._rest(checkpoint, len(start), PREFIX + length)
        slots = parse_header(start[PREFIX : PREFIX + length], size, url)
        if start != known:
            pieces.add(0, len(start), [start])
        return slots

    def tensors(self, checkpoint: "Checkpoint", names: Iterable[str] | None) -> "dict[str, np.ndarray]":
        """As in ``Files``: some tensors are fetched alone, all are fetched as a whole file, whose digest is checked."""
        whole = mirror.weights(checkpoint.sha256)
        if names is None or whole.is_file():
            return safetensors_io.read(self.weights(checkpoint), names)
        slots, wanted, url = self.header(checkpoint), list(names), self._url(checkpoint.path / WEIGHTS)
        if unknown := [name for name in wanted if name not in slots]:
            raise InputError(f"{url} has no tensor {unknown[0]!r}.{nearest(unknown[0], slots)}")
        pieces, relative = _pieces(checkpoint), self._relative(checkpoint.path / WEIGHTS)

        def fetch(span: tuple[int, int]) -> None:
            mirror.check_room(span[1] - span[0])
            pieces.add(*span, self._server.stream(relative, *span))

        spans = lacking(((slots[name].begin, slots[name].end) for name in wanted), pieces.known())
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(fetch, spans))
        return pieces.read({name: slots[name] for name in wanted}, url)

    def weights(self, checkpoint: "Checkpoint") -> Path:
        """As in ``Files``; a file that has not the digest of the catalogue is not kept, and an IntegrityError."""
        whole = mirror.weights(checkpoint.sha256)
        if not whole.is_file():
            self.near(checkpoint.path / MANIFEST)
            size = _size(checkpoint)
            mirror.check_room(size)
            chunks = self._server.stream(self._relative(checkpoint.path / WEIGHTS), 0, size)
            mirror.store(whole, _hashed(chunks, checkpoint.sha256, self._url(checkpoint.path / WEIGHTS)))
        return whole

    def ahead(self, jobs: Iterable[Callable[[], Any]], what: str) -> None:
        waiting = list(jobs)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for done, _ in enumerate(pool.map(_quietly, waiting), 1):
                    self.tell(what, done, len(waiting))
            finally:
                pool.shutdown(cancel_futures=True)

    def check_here(self, deed: str) -> None:
        raise InputError(
            f"{self.place} is on a server and only read, so it cannot be {deed} from here. Copy it to a directory"
            f"{self._server.how_to_copy()}, and give that."
        )

    def _rest(self, checkpoint: "Checkpoint", begin: int, end: int) -> bytes:
        """Fetch what a header has beyond the first bytes."""
        return b"".join(self._server.stream(self._relative(checkpoint.path / WEIGHTS), begin, end))

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _url(self, path: Path) -> str:
        return self._server.url(self._relative(path))


def _pieces(checkpoint: "Checkpoint") -> Pieces:
    return Pieces(checkpoint.path / PIECES)


def _size(checkpoint: "Checkpoint") -> int:
    return checkpoint.manifest["files"][WEIGHTS]["size"]


def _hashed(chunks: Iterable[bytes], sha256: str, url: str) -> Iterator[bytes]:
    """Pass bytes on; IntegrityError after the last if they have not this digest."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha256:
        raise IntegrityError(f"{url} has another digest than the catalogue says. {AGAIN}.")


def _quietly(job: Callable[[], Any]) -> None:
    with suppress(IntegrityError):  # whoever needs it meets it again, and says what follows from it
        job()

"""What a zoo asks of the place where its files are: this machine's disk (``disk``) or a server (``remote``)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

    from vitzoo.zoo.catalogue import Catalogue
    from vitzoo.zoo.checkpoint import Checkpoint
    from vitzoo.zoo.safetensors_header import Slot
    from vitzoo.zoo.store import Zoo

Tell = Callable[[str, int, int], None]  # (what is being done, done, total)


@dataclass(frozen=True)
class Listed:
    """What a published catalogue says of a member: its id, its status, and the digest of each epoch's weights."""

    id: str
    status: str
    digests: Mapping[int, str]


class Files(Protocol):
    """Where a zoo's files are. Paths are those of the tree in ``docs/format.md``, below the zoo's own ``path``."""

    @property
    def place(self) -> str:
        """The zoo's directory or address, for people and for opening it again."""
        ...

    @property
    def tell(self) -> Tell:
        """Is told how far ``ahead`` is."""
        ...

    @tell.setter
    def tell(self, tell: Tell) -> None: ...

    def members(self, stage: str) -> list[Path]:
        """Directories of a stage's members, in any order."""
        ...

    def listed(self, member: Path) -> Listed | None:
        """What is known of a member without opening its files; ``None`` where only they say it."""
        ...

    def near(self, path: Path) -> Path:
        """Return the path of a small file, which is on this machine then if there is such a file at all."""
        ...

    def catalogue(self, zoo: "Zoo", kept: "Catalogue | None") -> "Catalogue":
        """Return the catalogue; ``kept`` is what the last call returned."""
        ...

    def header(self, checkpoint: "Checkpoint") -> "dict[str, Slot]":
        """Return where each tensor lies in the file of weights."""
        ...

    def tensors(self, checkpoint: "Checkpoint", names: Iterable[str] | None) -> "dict[str, np.ndarray]":
        """Read the named tensors, or all."""
        ...

    def weights(self, checkpoint: "Checkpoint") -> Path:
        """Return the file of weights, on this machine."""
        ...

    def ahead(self, jobs: Iterable[Callable[[], Any]], what: str) -> None:
        """Do several things that wait for a server at once, before they are asked for one by one; on disk nothing.

        An IntegrityError is left to whoever asks again; other errors are raised.
        """
        ...

    def check_here(self, deed: str) -> None:
        """InputError unless the zoo is on this machine; ``deed`` is what was to be done to it, such as "grown"."""
        ...

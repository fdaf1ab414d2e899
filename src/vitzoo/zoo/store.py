"""The zoo: a directory that holds members, their checkpoints and one catalogue."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError, nearest
from vitzoo.zoo import atomic, commit, merge, results, safetensors_io, zoo_json
from vitzoo.zoo.checkpoint import Checkpoint
from vitzoo.zoo.disk import Disk, directories
from vitzoo.zoo.files import Files
from vitzoo.zoo.layout import (
    BLUEPRINT,
    CONFIG,
    FINETUNING,
    FORMAT,
    GROW,
    GROWN,
    MERGING,
    PRETRAINING,
    RESULT,
    STAGES,
    STAGING,
    ZOO_JSON,
    check_name,
    is_name,
)
from vitzoo.zoo.member import Member, check_config
from vitzoo.zoo.placing import Memory
from vitzoo.zoo.remote.address import check_directory, is_address
from vitzoo.zoo.strict_json import MAX_BYTES, encode_foreign, parse, read_bytes

if TYPE_CHECKING:
    import networkx
    import numpy as np
    import pandas

    from vitzoo.zoo.catalogue import Catalogue


class Zoo:
    """A zoo. Make one with ``Zoo.create``, open one with ``Zoo.open`` (also ``vitzoo.open``).

    ``path`` is its directory; of a remote zoo, the one on this machine that takes what is read of it.
    """

    def __init__(self, path: Path, head: Mapping[str, Any], files: Files | None = None) -> None:
        self.path = path
        self.files: Files = files or Disk(path)
        self.name: str = head["name"]
        self.licence: str = head["licence"]
        self.execution: dict[str, Any] = head["execution"]
        self._members: dict[Path, Member] = {}
        self._catalogue: Catalogue | None = None

    def __repr__(self) -> str:
        return f"Zoo({self.place!r})"

    def __getstate__(self) -> dict[str, Any]:
        # A catalogue cannot go to another process; it is loaded again there.
        return self.__dict__ | {"_members": {}, "_catalogue": None}

    @classmethod
    def create(
        cls, path: str | Path, *, name: str, licence: str, blueprint: str, execution: Mapping[str, Any]
    ) -> "Zoo":
        """Make a zoo, or open it if it is there and equal; InputError if it differs or if other files are there."""
        root = check_directory(path)
        head = {"format": FORMAT, "name": name, "licence": licence, "execution": dict(execution)}
        data, text = encode_foreign(head), blueprint.encode()
        if not (name and name.isprintable() and licence and licence.isprintable()) or len(text) > MAX_BYTES:
            raise InputError("A zoo needs a printable name and licence, and a blueprint of at most 1 MB.")
        if (root / ZOO_JSON).exists():
            return _check_equal(cls.open(root), head, blueprint)
        if root.exists():
            _check_usable(root)
        else:
            atomic.make_directories(root)
        atomic.replace_file(root / BLUEPRINT, text)
        for stage in GROWN:
            atomic.make_directories(root / stage)
        atomic.replace_file(root / ZOO_JSON, data)  # last: with it the directory becomes a zoo
        return cls.open(root)

    @classmethod
    def open(cls, path: str | Path) -> "Zoo":
        """Open a zoo: a directory, or an address (``s3://``, ``https://``, ``hf://datasets/``, ``file://``).

        InputError says what is missing if there is no zoo.
        """
        if is_address(path):
            from vitzoo.zoo.remote import connect  # only here: a zoo on this machine has no use for a network

            return connect.open_zoo(str(path))
        root = Path(path)
        if not (root / ZOO_JSON).is_file():
            what = f"it has no {ZOO_JSON}" if root.is_dir() else "there is no such directory"
            raise InputError(f"{root} is not a zoo: {what}. Give the directory that `vitzoo grow` made.")
        return cls(root, zoo_json.read(root / ZOO_JSON))

    @property
    def place(self) -> str:
        """The zoo's directory or address, for people and for opening it again."""
        return self.files.place

    @property
    def blueprint_text(self) -> str:
        """The blueprint as the user wrote it."""
        return read_bytes(self.files.near(self.path / BLUEPRINT), MAX_BYTES).decode(errors="replace")

    def member_path(self, name: str, parent: str | None, stage: str = PRETRAINING) -> Path:
        """Directory of a member, there or not; with a parent it is among the fine-tuned, whatever the stage."""
        place = self.path / FINETUNING / check_name(parent) if parent is not None else self.path / stage
        return place / check_name(name)

    def add_member(self, config: Mapping[str, Any]) -> Member:
        """Add a member, or return it if it is there with the same config; IntegrityError if its config differs."""
        self.files.check_here("given a member")
        checked = check_config(dict(config), "The config of a new member")
        name, parent = checked["name"], checked["parent"]
        path = self.member_path(name, parent["member"] if parent else None, checked["stage"])
        data = encode_foreign(checked)
        if path.is_dir():
            if parse(read_bytes(path / CONFIG, MAX_BYTES), path / CONFIG) != parse(data, name):
                other = "Choose another name" if checked["stage"] == MERGING else "Grow into a new zoo"
                raise IntegrityError(f"{path} is there with another {CONFIG}. {other}, or remove that directory first.")
            return self._at(path)
        self._check_new(name, parent)
        atomic.make_directories(path.parent)
        staged = atomic.staging_path(path.parent, name)
        with atomic.storing(path):
            try:
                staged.mkdir()
                atomic.write_synced(staged / CONFIG, data)
                atomic.sync_directory(staged)
                staged.rename(path)
            finally:
                atomic.discard(staged)
            atomic.sync_directory(path.parent)
        return self._at(path)

    def add_merged(self, config: Mapping[str, Any], tensors: Mapping[str, Any], metrics: Mapping[str, Any]) -> Member:
        """Add a merged member with its one checkpoint, in one step, or return it if it is there and equal.

        ``config`` is as from ``merge.make_config``; ``tensors`` and ``metrics`` are as for ``Member.commit``.
        IntegrityError if a member of that name is something else, or an ingredient is not as the config says.
        """
        self.files.check_here("given a merged member")
        checked = check_config(dict(config), "The config of a merged member")
        path = self.member_path(checked["name"], None, MERGING)
        if path.is_dir():
            member = self.add_member(checked)
            member.commit(0, tensors, metrics, None)
            return member
        self._check_new(checked["name"], None)
        self._check_origins(checked)
        atomic.make_directories(path.parent)
        staged = atomic.staging_path(path.parent, checked["name"])
        with atomic.storing(path):
            try:
                _fill_merged(staged, checked, tensors, metrics)
                staged.rename(path)
            finally:
                atomic.discard(staged)
            atomic.sync_directory(path.parent)
        return self._at(path)

    def members(self, stage: str | None = None) -> list[Member]:
        """All members, or those of one stage, sorted by name."""
        if stage is not None and stage not in STAGES:
            raise InputError(f"{stage!r} is not a stage; use {', '.join(STAGES)}.{nearest(stage, STAGES)}")
        stages = STAGES if stage is None else (stage,)
        paths = (path for each in stages for path in self.files.members(each))
        return sorted(map(self._at, paths), key=lambda member: member.name)

    def member(self, key: "str | Member") -> Member:
        """Find a member by its name or id, or by a beginning or end of either that fits one member only."""
        if isinstance(key, Member):
            return key
        direct = self.path / PRETRAINING / key if is_name(key) else None
        if direct is not None and direct.is_dir() and not (direct.is_symlink() or direct.parent.is_symlink()):
            return self._at(direct)  # what most calls ask for, a parent, needs no listing
        members = {member.name: member for member in self.members()}
        if key in members:
            return members[key]
        found = [member for member in members.values() if _fits(key, member.name)] if key else []
        if not found and len(key) >= 4:
            found = [member for member in members.values() if _fits(key, member.id)]
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(member.name for member in found[:4]) + (", …" if len(found) > 4 else "")
            raise InputError(f"{key!r} fits {len(found)} members: {listed}. Give more of the name.")
        raise InputError(f"{self.place} has no member {key!r}.{nearest(key, members)} `vitzoo ls` lists them.")

    def checkpoint(self, member: "str | Member", epoch: int | None = None) -> Checkpoint:
        """Return a member's checkpoint of an epoch (default: the last)."""
        return self.member(member).checkpoint(epoch)

    def catalogue(self) -> "Catalogue":
        """Return the catalogue as the tree is now; it is rebuilt only if the tree has changed.

        Of a remote zoo it is the published one, as it was when the zoo was opened.
        """
        self._catalogue = self.files.catalogue(self, self._catalogue)
        return self._catalogue

    def rebuild_catalogue(self) -> None:
        """Build the catalogue again from the tree and store it."""
        from vitzoo.zoo import catalogue

        self.files.check_here("given another catalogue")
        self._catalogue = catalogue.build(self)

    def rows(
        self,
        where: str | None = None,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        order_by: str | None = None,
    ) -> list[dict[str, Any]]:
        """Return one dict per checkpoint. ``where`` is a boolean SQL expression; ``order_by`` like "test_acc desc"."""
        from vitzoo.zoo import query

        return query.rows(self.catalogue(), where, columns, limit, order_by)

    def count(self, where: str | None = None) -> int:
        """Number of checkpoints that fit a boolean SQL expression."""
        from vitzoo.zoo import query

        return query.count(self.catalogue(), where)

    def table(
        self, where: str | None = None, columns: Sequence[str] | None = None, order_by: str | None = None
    ) -> "pandas.DataFrame":
        """Return one row per checkpoint as a pandas DataFrame; warns if parts of the zoo cannot be read.

        ``where`` is a boolean SQL expression, such as ``"stage = 'finetuning' AND optimizer = 'adamw'"``.
        """
        from vitzoo.zoo import query

        catalogue = self.catalogue()
        for note in catalogue.notes:
            warnings.warn(note, stacklevel=2)
        return query.frame(catalogue, where, columns, order_by)

    def lineage(self) -> "networkx.DiGraph":
        """Return the graph of members and checkpoints (nodes ``member@epoch``), edges from origin to offspring."""
        from vitzoo.zoo import lineage

        return lineage.graph(self)

    def weights(self, rows: Sequence[Mapping[str, Any]]) -> list[Path]:
        """Return the files of weights of some rows of the catalogue, on this machine; remote ones are fetched.

        The places follow from names, not from the catalogue's paths, which anyone may have written.
        """
        found = self._listed(rows)
        self.files.ahead((checkpoint.file for checkpoint in found), "Fetching weights")
        return [checkpoint.file() for checkpoint in found]

    def scan(
        self, where: str | None = None, names: Sequence[str] | None = None
    ) -> "Iterator[tuple[Checkpoint, dict[str, np.ndarray]]]":
        """Read the weights of the checkpoints that fit, one after another, as fast as the disk's cache gives them.

        All are read into the same memory: use or copy the arrays of one checkpoint before you ask for the next.
        ``names`` are the tensors to read, all by default.
        """
        memory = Memory()
        for checkpoint in self._listed(self.rows(where, ["member", "epoch"])):
            yield checkpoint, safetensors_io.read(checkpoint.file(), names, memory)

    def sweep(self) -> int:
        """Remove what killed writers left and complete ``result.json``; return how many things were removed.

        Only the holder of the grower's lock may call this: it would pull the ground from under another writer.
        """
        self.files.check_here("swept")
        left = list(self.leftovers())
        for path in left:
            atomic.discard(path)
        for member in self.members():
            member.repair_results()
        return len(left)

    def leftovers(self) -> Iterator[Path]:
        """List unfinished writes: entries whose name starts with ``.staging-``."""
        places = [self.path]
        for stage in STAGES:
            places += [self.path / stage, *self.files.members(stage)]
        places += directories(self.path / FINETUNING)
        for place in places:
            if place.is_dir():
                yield from sorted(path for path in place.iterdir() if path.name.startswith(STAGING))

    def _at(self, path: Path) -> Member:
        return self._members.setdefault(path, Member(self, path))

    def _listed(self, rows: Sequence[Mapping[str, Any]]) -> list[Checkpoint]:
        members = {member.name: member for member in self.members()}
        if made_up := [row["member"] for row in rows if row["member"] not in members]:
            raise IntegrityError(f"The catalogue names {made_up[0]!r}, which is no member. Remove catalogue.parquet.")
        return [Checkpoint(members[row["member"]], row["epoch"]) for row in rows]

    def _check_origins(self, config: Mapping[str, Any]) -> None:
        for edge in merge.origins(config["merge"]):
            if self.checkpoint(edge["member"], edge["epoch"]).sha256 != edge["sha256"]:
                raise IntegrityError(
                    f"{edge['member']}, epoch {edge['epoch']}, has other weights than were merged. "
                    "Run `vitzoo verify --deep`."
                )

    def _check_new(self, name: str, parent: Mapping[str, Any] | None) -> None:
        names = {member.name.casefold(): member for member in self.members()}
        if other := names.get(name.casefold()):
            raise IntegrityError(f"{other.path} has the name {name!r} already; names are unique in a zoo.")
        if parent is None:
            return
        if parent["member"].casefold() not in names:
            raise InputError(f"The parent {parent['member']!r} of {name!r} is not in the zoo; add it first.")
        if self.member(parent["member"]).id != parent.get("id"):
            raise IntegrityError(f"The parent {parent['member']!r} of {name!r} has another id in this zoo.")


def _fill_merged(place: Path, config: dict[str, Any], tensors: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Write all that a merged member's directory holds."""
    data, cleaned = encode_foreign(config), commit.clean_metrics(metrics)
    manifest = {"format": 1, "member": config["name"], "epoch": 0, "parent": None, "metrics": cleaned}
    place.mkdir()
    atomic.write_synced(place / CONFIG, data)
    commit.write_checkpoint(place, 0, data, tensors, manifest)
    results.write(place / RESULT, {0: {"epoch": 0, **cleaned}})  # it syncs the directory


def _fits(key: str, text: str) -> bool:
    return text.startswith(key) or text.endswith(key)


def _check_usable(root: Path) -> None:
    """A directory can become a zoo if nothing is in it but what an interrupted ``create`` leaves."""
    known = {BLUEPRINT, GROW, *STAGES}
    if not root.is_dir():
        raise InputError(f"{root} is a file; give a directory for the zoo.")
    names = [path.name for path in root.iterdir()]
    if other := sorted(name for name in names if name not in known and not name.startswith(STAGING)):
        raise InputError(f"{root} is not empty ({other[0]!r} is there) and not a zoo. Give a new directory.")


def _check_equal(zoo: Zoo, head: Mapping[str, Any], blueprint: str) -> Zoo:
    found = {"format": FORMAT, "name": zoo.name, "licence": zoo.licence, "execution": zoo.execution}
    wanted = parse(encode_foreign(dict(head)), "the zoo to be made")
    different = [key for key in wanted if wanted[key] != found.get(key)]
    if zoo.blueprint_text != blueprint:
        different.append("blueprint")
    if different:
        raise InputError(f"{zoo.path} is a zoo with another {', '.join(different)}. Give a new directory.")
    return zoo

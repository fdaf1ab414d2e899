"""A member: one trained model and its trajectory, a directory of the zoo."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitzoo.errors import InputError, IntegrityError
from vitzoo.zoo import commit, imported, merge, results
from vitzoo.zoo.checkpoint import Checkpoint, is_edge
from vitzoo.zoo.files import Listed
from vitzoo.zoo.layout import (
    CONFIG,
    FINETUNING,
    MANIFEST,
    MERGING,
    RESULT,
    SHA256,
    STAGES,
    epoch_of,
    is_kept,
    is_name,
)
from vitzoo.zoo.strict_json import MAX_BYTES, REMEDY, check_object, parse, read_bytes

if TYPE_CHECKING:
    from vitzoo.zoo.store import Zoo

CONFIG_KEYS = ("format", "name", "id", "stage", "parent", "recipe")


class Member:
    """One member of a zoo; made by ``Zoo.member`` and ``Zoo.add_member``. Reads what it is asked for, when asked."""

    def __init__(self, zoo: "Zoo", path: Path) -> None:
        self.zoo = zoo
        self.path = path
        self.name = path.name

    def __repr__(self) -> str:
        return f"Member({self.name!r})"

    @cached_property
    def config_bytes(self) -> bytes:
        """``config.json`` as it is; every checkpoint holds these bytes."""
        return read_bytes(self.zoo.files.near(self.path / CONFIG), MAX_BYTES)

    @cached_property
    def listed(self) -> Listed | None:
        """What is known of the member without opening its files; ``None`` in a zoo on this machine."""
        return self.zoo.files.listed(self.path)

    @cached_property
    def config(self) -> dict[str, Any]:
        """``config.json``: recipe, lineage and timm's keys. IntegrityError if it is not this member's."""
        config = check_config(parse(self.config_bytes, self.path / CONFIG), self.path / CONFIG)
        parent = config["parent"]["member"] if config["parent"] else None
        expected = self.zoo.member_path(self.name, parent, config["stage"])
        if config["name"] != self.name or expected != self.path:
            raise IntegrityError(f"{self.path / CONFIG} belongs to another member. {REMEDY}.")
        return config

    @property
    def id(self) -> str:
        """The id of the recipe, or of the merge: 64 hexadecimal digits."""
        return self.config["id"] if self.listed is None else self.listed.id

    @property
    def stage(self) -> str:
        """``pretraining``, ``finetuning`` or ``merging``, as the place in the tree says."""
        return self.path.relative_to(self.zoo.path).parts[0]

    @property
    def parent_name(self) -> str | None:
        """Name of the member this one was initialised from, as the place in the tree says."""
        return self.path.parent.name if self.stage == FINETUNING else None

    @property
    def place(self) -> str:
        """The member's directory or address, for people."""
        return f"{self.zoo.place}/{self.path.relative_to(self.zoo.path).as_posix()}"

    @property
    def recipe(self) -> dict[str, Any]:
        """Every generating factor, as plain data; of a merged member those in which its ingredients agree."""
        return self.config["recipe"]

    @property
    def last_epoch(self) -> int:
        """The epoch after which the member is finished; a merged one is so as it is made, in epoch 0.

        A member that was trained elsewhere is finished with the last epoch that there was.
        """
        if self.imported:
            return self.imported["epochs"][-1]
        return 0 if self.merge else self.recipe["hyperparameters"]["epochs"]

    @property
    def merge(self) -> dict[str, Any] | None:
        """Method, settings, ingredients and parent of a merged member, ``None`` for one that was trained."""
        return self.config["merge"] if self.stage == MERGING else None

    @property
    def imported(self) -> dict[str, Any] | None:
        """Where a member that was trained elsewhere comes from, and what was declared there; ``None`` for others."""
        return self.config.get("imported")

    @property
    def parent(self) -> "Member | None":
        """The member this one was initialised from, ``None`` for a pre-trained or merged one."""
        return self.zoo.member(self.parent_name) if self.parent_name else None

    def children(self) -> "list[Member]":
        """Members initialised from this one, sorted by name."""
        return [member for member in self.zoo.members(FINETUNING) if member.parent_name == self.name]

    def merged_into(self) -> "list[Member]":
        """Merged members that were made of this one, sorted by name; of those that can be read."""
        found, merged = [], self.zoo.members(MERGING)
        self.zoo.files.ahead((lambda m=m: m.config for m in merged), "Reading recipes")
        for member in merged:
            with suppress(IntegrityError):  # `vitzoo verify` says what is wrong with it
                if any(edge["member"] == self.name for edge in merge.origins(member.config["merge"])):
                    found.append(member)
        return found

    @property
    def status(self) -> str:
        """``planned`` (nothing yet), ``growing``, ``finished`` (the last epoch is there) or ``diverged``."""
        if self.listed is not None:
            return self.listed.status
        epochs, lines = self.epochs(), results.read(self.path / RESULT)
        if results.diverged(lines) is not None:
            return "diverged"
        if epochs and epochs[-1] >= self.last_epoch:
            return "finished"
        return "growing" if epochs or lines else "planned"

    def epochs(self) -> list[int]:
        """Epochs with a checkpoint, rising."""
        if self.listed is not None:
            return sorted(self.listed.digests)
        with os.scandir(self.path) as entries:
            found = [epoch_of(entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]
        return sorted(epoch for epoch in found if epoch is not None)

    def checkpoint(self, epoch: int | None = None) -> Checkpoint:
        """Return the checkpoint of an epoch (default: the last); InputError if it is not there."""
        epochs = self.epochs()
        if not epochs:
            raise InputError(f"{self.name} has no checkpoints yet. Grow the zoo first.")
        if epoch is None:
            return Checkpoint(self, epochs[-1])
        if epoch not in epochs:
            closest = min(epochs, key=lambda e: abs(e - epoch))
            raise InputError(
                f"{self.name} has no checkpoint of epoch {epoch}; it has {len(epochs)}, from epoch {epochs[0]} "
                f"to {epochs[-1]}. The closest is {closest}."
            )
        return Checkpoint(self, epoch)

    def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints, by rising epoch."""
        return [Checkpoint(self, epoch) for epoch in self.epochs()]

    def curve(self) -> list[dict[str, Any]]:
        """One dict per epoch, ``{"epoch": e, **metrics}``, by rising epoch."""
        self.zoo.files.near(self.path / RESULT)
        lines, _ = self._lines(self.epochs())  # epochs first: a commit in between then shows in both or in neither
        return [lines[epoch] for epoch in sorted(lines)]

    def commit(
        self,
        epoch: int,
        tensors: Mapping[str, Any] | commit.Ready,
        metrics: Mapping[str, Any],
        parent: Mapping[str, Any] | None,
        twin: Checkpoint | None = None,
    ) -> str:
        """Commit the weights after an epoch and return their SHA-256. Doing it again changes nothing.

        ``tensors`` maps timm's names to arrays, or is a file of them; ``metrics`` maps names to numbers. ``parent`` is
        ``{"member", "epoch", "sha256"}`` of the checkpoint the weights came from; it is needed for the first checkpoint
        of a fine-tuned member and may be ``None`` otherwise. ``twin`` is a checkpoint that may have the same weights;
        if it has, they are stored once. If the call fails nothing is visible; repeat it.
        """
        self.zoo.files.check_here("given a checkpoint")
        if type(epoch) is not int or not 0 <= epoch < 10**9:
            raise InputError(f"{epoch!r} is not an epoch; use a whole number from 0.")
        cleaned = commit.clean_metrics(metrics)
        epochs = self.epochs()
        lines, lacking = self._lines(epochs)
        if epoch in epochs:
            parent = parent or Checkpoint(self, epoch).manifest["parent"]
        else:
            self._check_order(epoch, epochs, lines)
        before = max((e for e in epochs if e < epoch), default=None)
        manifest = {
            "format": 1,
            "member": self.name,
            "epoch": epoch,
            "parent": self._edge(before, parent),
            "metrics": cleaned,
        }
        if lacking:
            results.write(self.path / RESULT, lines)  # first, so that never more than the last line can be missing
        sha256 = commit.write_checkpoint(self.path, epoch, self._own_config(), tensors, manifest, twin)
        lines[epoch] = self._line(epoch)  # as stored: a commit that changed nothing keeps the metrics of the first
        results.write(self.path / RESULT, lines)
        return sha256

    def record_epochs(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Record epochs that are not kept as checkpoints, ``{"epoch": e, **metrics}`` each; in one atomic step.

        Epochs the recipe keeps are skipped, because their line comes with their commit.
        """
        self.zoo.files.check_here("given results")
        stored, _ = self._lines(self.epochs())
        for line in lines:
            epoch = line["epoch"]
            if not self.keeps(epoch):
                self._check_not_diverged(epoch, stored)
                metrics = commit.clean_metrics({name: value for name, value in line.items() if name != "epoch"})
                stored[epoch] = {"epoch": epoch, **metrics}
        results.write(self.path / RESULT, stored)

    def record_divergence(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        """Record that training stopped for good in this epoch because a value was not finite."""
        self.zoo.files.check_here("given results")
        epochs = self.epochs()
        if epoch in epochs:
            raise InputError(f"{self.name} has a checkpoint of epoch {epoch}, so it did not diverge there.")
        stored, _ = self._lines(epochs)
        stored[epoch] = {"epoch": epoch, "diverged": True, **commit.clean_metrics(metrics)}
        results.write(self.path / RESULT, {e: line for e, line in stored.items() if e <= epoch})

    def keeps(self, epoch: int) -> bool:
        """Say whether the recipe keeps this epoch as a checkpoint; of an imported member, whether its source had it."""
        if self.imported:
            return epoch in self.imported["epochs"]
        return is_kept(self.recipe.get("checkpoints", {}), self.last_epoch, epoch)

    def repair_results(self) -> None:
        """Add the lines to ``result.json`` that it lacks, after a kill or after someone removed the file."""
        self.zoo.files.check_here("repaired")
        lines = results.read(self.path / RESULT)
        for epoch in self.epochs():
            if epoch not in lines:
                lines[epoch] = self._line(epoch)
        results.write(self.path / RESULT, lines)

    def _line(self, epoch: int) -> dict[str, Any]:
        return {"epoch": epoch, **Checkpoint(self, epoch).metrics}

    def _lines(self, epochs: list[int]) -> tuple[results.Lines, bool]:
        """Read ``result.json``; add the last checkpoint's line if it lacks, and say whether it did."""
        lines = results.read(self.path / RESULT)
        lacking = bool(epochs) and epochs[-1] not in lines
        if lacking:
            lines[epochs[-1]] = self._line(epochs[-1])
        return lines, lacking

    def _own_config(self) -> bytes:
        if self.config["name"] != self.name:  # reading it checks that the bytes are this member's
            raise IntegrityError(f"{self.path / CONFIG} belongs to another member. {REMEDY}.")
        return self.config_bytes

    def _check_order(self, epoch: int, epochs: list[int], lines: results.Lines) -> None:
        if epochs and epoch < epochs[-1]:
            raise InputError(f"{self.name} has epoch {epochs[-1]} already; epochs are committed in rising order.")
        if epoch > self.last_epoch:
            raise InputError(f"The recipe of {self.name} ends with epoch {self.last_epoch}; {epoch} is too late.")
        self._check_not_diverged(epoch, lines)

    def _check_not_diverged(self, epoch: int, lines: results.Lines) -> None:
        stop = results.diverged(lines)
        if stop is not None and epoch >= stop:
            raise IntegrityError(
                f"{self.name} diverged in epoch {stop}, so epoch {epoch} cannot be stored. To train it again, "
                f"remove {self.path} first."
            )

    def _edge(self, before: int | None, parent: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Check the reference to the checkpoint these weights came from, or fill in the previous one."""
        if before is not None:
            own = Checkpoint(self, before).edge
            if parent is not None and dict(parent) != own:
                raise InputError(
                    f"A checkpoint of {self.name} comes from its previous one, epoch {before}, not {parent}."
                )
            return own
        expected = self.config["parent"]
        if expected is None:
            if parent is not None:
                raise InputError(f"{self.name} was not fine-tuned, so its first checkpoint has no parent.")
            return None
        if not is_edge(edge := dict(parent or {})) or edge["member"] != expected["member"]:
            raise InputError(
                f"The first checkpoint of {self.name} needs its parent: a checkpoint of {expected['member']}."
            )
        if self.zoo.checkpoint(edge["member"], edge["epoch"]).sha256 != edge["sha256"]:
            raise IntegrityError(
                f"{edge['member']}, epoch {edge['epoch']}, has other weights than {self.name} was initialised from. "
                f"Run `vitzoo verify --deep`; see {MANIFEST} there."
            )
        return edge


def check_config(value: Any, where: object) -> dict[str, Any]:
    """Return the value if it has the form of a member's config; IntegrityError otherwise."""
    config = check_object(value, CONFIG_KEYS, where)
    parent, stage = config["parent"], config["stage"]
    sound = {
        "name": is_name(config["name"]),
        "id": isinstance(config["id"], str) and SHA256.fullmatch(config["id"]) is not None,
        "stage": stage in STAGES,
        "parent": isinstance(parent, dict) and is_name(parent.get("member")) if stage == FINETUNING else parent is None,
        **_sound_factors(config, stage),
    }
    if wrong := [key for key, good in sound.items() if not good]:
        raise IntegrityError(f"{where} has no valid {', '.join(map(repr, wrong))}. {REMEDY}.")
    return config


def _sound_factors(config: Mapping[str, Any], stage: str) -> dict[str, bool]:
    if stage == MERGING:
        return _sound_merge(config)
    if "imported" in config:
        return {"imported": imported.is_imported(config["imported"]), "recipe": isinstance(config["recipe"], dict)}
    return _sound_recipe(config["recipe"])


def _sound_recipe(recipe: Any) -> dict[str, bool]:
    h = recipe.get("hyperparameters") if isinstance(recipe, dict) else None
    every = recipe.get("checkpoints", {}) if isinstance(recipe, dict) else None
    return {
        "recipe": isinstance(h, dict) and type(h.get("epochs")) is int and h["epochs"] >= 1,
        "recipe.checkpoints": isinstance(every, dict)
        and type(every.get("every", 1)) is int
        and every.get("every", 1) > 0,
    }


def _sound_merge(config: Mapping[str, Any]) -> dict[str, bool]:
    """Say what is sound of a merged member; its id is checked, because it can be without knowing the factors."""
    sound = merge.is_merge(config.get("merge"))
    return {
        "recipe": isinstance(config["recipe"], dict) and "checkpoints" not in config["recipe"],
        "merge": sound,
        "id of its merge": not sound or config["id"] == merge.merge_id(config["merge"]),
    }

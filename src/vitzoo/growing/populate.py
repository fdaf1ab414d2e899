"""Grow one population into the zoo: begin or resume, train, and commit every epoch behind the training's back."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from types import TracebackType

import numpy as np
import torch

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Dataset
from vitzoo.data.device import DeviceSplit
from vitzoo.data.images import Images
from vitzoo.data.load import load
from vitzoo.errors import InputError
from vitzoo.growing import resume
from vitzoo.growing.company import company
from vitzoo.growing.computing import compute_of
from vitzoo.growing.engines.contract import Beat, Guard, Tell
from vitzoo.growing.events import EpochDone, Note
from vitzoo.growing.jobs import GrowPopulation, Places, PrepareData
from vitzoo.growing.shortage import explained
from vitzoo.model.layout import Layout
from vitzoo.training import loop
from vitzoo.training.fitting import Warn
from vitzoo.training.start import from_parent, from_scratch
from vitzoo.training.team import Team
from vitzoo.zoo import Checkpoint, Member, Zoo


def use_threads(threads: int) -> None:
    """Let torch compute with so many threads in this process."""
    torch.set_num_threads(threads)


def prepare(job: PrepareData, tell: Tell, beat: Beat) -> None:
    """Decode a data set into the cache unless it is there."""
    tell(Note(f"Preparing {job.dataset.source} at {job.image_size}×{job.image_size}."))
    load_images(job.dataset, job.image_size, job.places, beat)


def load_images(dataset: Dataset, image_size: int, places: Places, beat: Beat = lambda share: None) -> Images:
    """Load a data set from the cache, decoding it first where that has not happened; ``beat`` is called meanwhile."""
    return load(dataset, image_size, places.data, places.cache, places.download, lambda done, total: beat(done / total))


@lru_cache(maxsize=2)
def _splits(dataset: Dataset, image_size: int, places: Places, device: str) -> tuple[DeviceSplit, DeviceSplit, int]:
    # Populations follow one another on the same data; keep it on the device between them.
    images = load_images(dataset, image_size, places)
    train, test = (
        DeviceSplit(x, y, device) for x, y in ((images.x_train, images.y_train), (images.x_test, images.y_test))
    )
    return train, test, images.classes


def grow(job: GrowPopulation, tell: Tell, beat: Beat, guard: Guard = lambda: None) -> None:
    """Train the job's members and commit all they leave; continue where an earlier call was stopped.

    ``guard`` raises before anything is stored when another worker has been given the job meanwhile.

    Raises:
        InputError: more devices than images in a batch.
        CompanionLost, NotEnoughMemory: as they say.
    """
    recipe, images = job.recipes[0], job.recipes[0].hyperparameters.batch_size
    if images < job.execution.devices:
        raise InputError(
            f"{recipe.name} is trained on batches of {images} images, which {job.execution.devices} devices cannot "
            "share. Grow a new zoo with fewer --devices or larger batches."
        )
    load_images(recipe.dataset, recipe.architecture.image_size, job.places, lambda share: beat(0.0))  # on a new machine
    with explained(job.recipes, job.execution), company(job, accompany, tell, beat) as (team, hear):
        population = _population(job, team)
        state, store = _begin(job, population, tell, guard)
        path = resume.path_of(job.places.zoo, job.id)

        def step(share: float) -> None:
            hear()
            writer.check()
            beat(share)

        with Writer(lambda epoch: (guard(), resume.write(path, epoch), guard(), store.commit(epoch))) as writer:
            for epoch in loop.train(population, loop.shared(population, state), step, lambda text: tell(Note(text))):
                writer.put(epoch)
    guard()
    path.unlink(missing_ok=True)


def accompany(job: GrowPopulation, team: Team, warn: Warn) -> Iterator[None]:
    """Train with the process that has the job, from its state; the zoo is that one's. The first yield is before."""
    with explained(job.recipes, job.execution):
        population = _population(job, team)
        yield
        for _ in loop.train(population, loop.shared(population, None), warn=warn):
            yield


def _population(job: GrowPopulation, team: Team) -> loop.Population:
    """Bring a job's members and their data together, on this process's device."""
    recipe = job.recipes[0]
    compute = compute_of(recipe, job.execution, team)
    data = _splits(recipe.dataset, recipe.architecture.image_size, job.places, compute.device)  # pyright: ignore[reportArgumentType]  (frozen models hash)
    return loop.Population(job.recipes, *data, compute)


def _begin(job: GrowPopulation, population: loop.Population, tell: Tell, guard: Guard) -> tuple[loop.State, "Store"]:
    """Return the state to go on from, new or as an earlier call left it, and where epochs are put."""
    zoo = Zoo.open(job.places.zoo)
    members = [zoo.member(recipe.name) for recipe in job.recipes]
    store = Store(job, members, population.layout, tell)
    saved = resume.read(resume.path_of(job.places.zoo, job.id))
    if saved is None:
        begun = [start(zoo, recipe, member) for recipe, member in zip(job.recipes, members, strict=True)]
        return loop.begin(population, begun), store
    guard()
    store.commit(saved)  # whatever of its epoch the kill left uncommitted
    return resume.on_device(saved.state, population.compute.device), store


def start(zoo: Zoo, recipe: Recipe, member: Member) -> dict[str, torch.Tensor]:
    """Return a member's first tensors: drawn, or its parent's last checkpoint under a new head."""
    if member.parent is None:
        return from_scratch(recipe)
    return from_parent(recipe, zoo.checkpoint(member.parent).state_dict())


class Store:
    """Puts epochs of a population into the zoo: metrics lines, checkpoints with their parents, divergence."""

    def __init__(self, job: GrowPopulation, members: Sequence[Member], layout: Layout, tell: Tell):
        self.job, self.members, self.layout, self.tell = job, members, layout, tell
        recipe = job.recipes[0]
        self.kept = set(recipe.checkpoints.epochs(recipe.hyperparameters.epochs))

    def commit(self, epoch: loop.Epoch) -> None:
        """Commit one epoch of all members; doing it twice changes nothing."""
        flat = epoch.state.flat
        for i, member in enumerate(self.members):
            metrics = epoch.metrics[i]
            if metrics is None:
                continue
            if i in epoch.diverged:
                self.bury(member, epoch.number, flat[i], metrics)
            elif epoch.number in self.kept:
                twin = self.twin(i) if epoch.number == 0 else None
                member.commit(epoch.number, self.tensors(flat[i]), metrics, _origin(member), twin)
            else:
                member.record_epochs([{"epoch": epoch.number, **metrics}])
        names = [member.name for member in self.members]
        told = dict(zip(names, epoch.metrics, strict=True))
        self.tell(EpochDone(self.job.id, epoch.number, told, [names[i] for i in epoch.diverged]))

    def twin(self, i: int) -> Checkpoint | None:
        """Return the first checkpoint of an earlier member that began like member ``i``: same parent, same seed."""
        begin = [(recipe.parent, recipe.hyperparameters.seed) for recipe in self.job.recipes]
        first = begin.index(begin[i])
        return self.members[first].checkpoint(0) if first < i and 0 in self.members[first].epochs() else None

    def tensors(self, row: torch.Tensor) -> dict[str, np.ndarray]:
        """Return one member's row as named arrays; nothing is copied."""
        return {name: view.numpy() for name, view in self.layout.views(row).items()}

    def bury(self, member: Member, epoch: int, row: torch.Tensor, metrics: loop.Metrics) -> None:
        """Record that a member diverged; its last finite weights are kept, also if their epoch would not be."""
        if member.status != "diverged" and epoch - 1 not in member.epochs():
            line = next((line for line in member.curve() if line["epoch"] == epoch - 1), {})
            before = {name: value for name, value in line.items() if name != "epoch"}
            member.commit(epoch - 1, self.tensors(row), before, _origin(member))
        member.record_divergence(epoch, metrics)


def _origin(member: Member) -> dict[str, str | int] | None:
    """Return the parent's checkpoint that a member's first checkpoint came from; later ones know theirs."""
    if member.parent is None or len(member.epochs()) > 0:
        return None
    source = member.parent.checkpoint()
    return source.edge


class Writer:
    """A thread that stores epochs in order while the next one is trained; two may wait, then training waits."""

    def __init__(self, store: Callable[[loop.Epoch], object]):
        self._store = store
        self._queue: queue.Queue[loop.Epoch | None] = queue.Queue(maxsize=2)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def check(self) -> None:
        """Raise what storing an epoch raised, if anything."""
        if self._error is not None:
            raise self._error

    def put(self, epoch: loop.Epoch) -> None:
        """Hand over an epoch; raises what storing an earlier one raised."""
        self.check()
        self._queue.put(epoch)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _run(self) -> None:
        while (epoch := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._store(epoch)
                except BaseException as error:  # handed to the training thread, which raises it
                    self._error = error

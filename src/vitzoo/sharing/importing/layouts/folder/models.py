"""Which of the folders and files are models, and which are checkpoints of one: from names alone. Pure.

A folder with a config is a model. So is a file of weights on its own. Folders or files with numbers for names are the
checkpoints of the model whose folder they lie in.
"""

from dataclasses import dataclass, field

from vitzoo.sharing.importing.layouts.folder.numbering import Label, label_of
from vitzoo.sharing.importing.layouts.folder.tree import Folder
from vitzoo.sharing.importing.survey import File, Unplaced
from vitzoo.sharing.importing.tables import many

CONFIG, ADAPTER, TRAINER = "config.json", "adapter_config.json", "trainer_state.json"
SHARDS = ".index.json"
#: Names of weights that say nothing but "the weights", those that are read first in front.
PLAIN = ("model.safetensors", "pytorch_model.bin")
ANONYMOUS = frozenset({"model", "pytorch_model", "weights", "checkpoint", "state_dict", "best", "last", "final"})


@dataclass(frozen=True)
class Checkpoint:
    """One file of weights, its label if its name has one, and the folder that describes it."""

    file: File
    folder: Folder
    label: Label | None = None


@dataclass
class Model:
    """A model: its place, its name, its checkpoints by rising number.

    ``homes`` are the folders whose config and card are its own, the nearest to the model as a whole first.
    """

    key: str
    name: str
    checkpoints: list[Checkpoint]
    homes: tuple[Folder, ...] = ()
    notes: list[str] = field(default_factory=list)

    def home_of(self, name: str) -> Folder | None:
        """Return the folder that has a file of this name beside the model, ``None`` if none has."""
        return next((home for home in self.homes if name in home.others), None)


@dataclass
class Models:
    """The models of a folder, and weights that belong to none of them."""

    found: list[Model] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)


def interpret(root: Folder) -> Models:
    """Find all models below a folder."""
    models = Models()
    _interpret(root, models)
    return models


def _interpret(folder: Folder, models: Models) -> None:
    if why := _not_a_model(folder):
        models.unplaced.append(Unplaced(folder.key or ".", why, model=True))
        return
    numbered = _numbered(folder)
    own = {name: file for name, file in folder.weights.items() if label_of(_stem(name)) is None}
    if numbered:
        models.found.append(_trajectory(folder, numbered, models))
    if CONFIG in folder.others and not numbered:
        _described(folder, own, models)
    elif CONFIG in folder.others:
        reason = "lies beside numbered checkpoints, and nothing says which epoch it is; often it equals one of them"
        models.unplaced += many.unplaced([file_key(folder, name) for name in own], reason, model=True)
    else:
        _loose(folder, own, models)
    taken = {checkpoint.folder.key for checkpoint in numbered}
    for child in folder.folders:
        if child.key in taken:
            _inside(child, models)
        else:
            _interpret(child, models)


def _not_a_model(folder: Folder) -> str | None:
    if ADAPTER in folder.others:
        return "is an adapter, not the weights of a model; merge it into its base model first"
    if any(name.endswith(SHARDS) for name in folder.others) and PLAIN[0] not in folder.weights:
        return "has its weights in several parts; save them in one file"
    return None


def _numbered(folder: Folder) -> list[Checkpoint]:
    """List the checkpoints in a folder: sub-folders with a number and one file of weights, and files with a number."""
    found = []
    for child in folder.folders:
        label = label_of(child.name)
        if label is not None and not _not_a_model(child) and (name := _only(child)):
            found.append(Checkpoint(child.weights[name], child, label))
    for name, file in folder.weights.items():
        if label := label_of(_stem(name)):
            found.append(Checkpoint(file, folder, label))
    return found


def _trajectory(folder: Folder, checkpoints: list[Checkpoint], models: Models) -> Model:
    """Put checkpoints in their order. Epochs and steps do not mix, and a number counts once: the rest is unplaced."""
    of_epochs = any(checkpoint.label.is_epoch for checkpoint in checkpoints if checkpoint.label)
    kept: dict[int, Checkpoint] = {}
    for checkpoint in checkpoints:
        label = checkpoint.label
        assert label is not None
        place = file_key(checkpoint.folder, checkpoint.file.path.name)
        if label.is_epoch != of_epochs:
            models.unplaced.append(Unplaced(place, "counts steps where others count epochs", True))
        elif label.number in kept:
            models.unplaced.append(Unplaced(place, f"is a second checkpoint {label.number} of the same model", True))
        else:
            kept[label.number] = checkpoint
    ordered = [kept[number] for number in sorted(kept)]
    return Model(folder.key or ".", folder.name, ordered, (folder, ordered[-1].folder))


def _inside(checkpoint: Folder, models: Models) -> None:
    """Tell of weights in a checkpoint's folder that are not the checkpoint, at any depth."""
    others = [file_key(checkpoint, name) for name in checkpoint.weights if name != _only(checkpoint)]
    waiting = list(checkpoint.folders)
    while waiting:
        folder = waiting.pop()
        others += [file_key(folder, name) for name in folder.weights]
        waiting += folder.folders
    models.unplaced += many.unplaced(others, "lies in the folder of a checkpoint and is not its weights", model=True)


def _described(folder: Folder, own: dict[str, File], models: Models) -> None:
    """A folder with a config is one model: its only weights, or those with the name that libraries give them."""
    if not own:
        if not any(child.weights or child.folders for child in folder.folders):
            models.unplaced.append(Unplaced(folder.key or ".", "has a config and no weights that can be read", True))
        return
    name = _only(folder)
    if name is None:
        reason = "is one of several files of weights beside one config, and none has the name of the model's own"
        models.unplaced += many.unplaced([file_key(folder, other) for other in own], reason, model=True)
        return
    model = Model(folder.key or ".", folder.name, [Checkpoint(own[name], folder)], (folder,))
    if rest := [other for other in own if other != name]:
        model.notes.append(f"{', '.join(rest[:3])} beside {name} {'is' if len(rest) == 1 else 'are'} not read")
    models.found.append(model)


def _loose(folder: Folder, own: dict[str, File], models: Models) -> None:
    """Without a config every file is a model, but a file that is there in two formats is one."""
    twins = {_stem(name) for name in own if name.endswith(".safetensors")}
    if PLAIN[0] in own:
        twins.add(_stem(PLAIN[1]))
    only = len({_stem(name) for name in own}) == 1
    for name, file in own.items():
        stem = _stem(name)
        if stem in twins and not name.endswith(".safetensors"):
            continue
        anonymous = only and stem in ANONYMOUS and bool(folder.key)
        homes = (folder,) if anonymous else ()
        model = Model(file_key(folder, name), folder.name if anonymous else stem, [Checkpoint(file, folder)], homes)
        if rest := [other for other in own if other != name and _is_twin(other, name)]:
            model.notes.append(f"{', '.join(rest)} is taken for the same weights as {name} and not read")
        models.found.append(model)


def _is_twin(name: str, of: str) -> bool:
    return _stem(name) == _stem(of) or (name, of) == (PLAIN[1], PLAIN[0])


def _only(folder: Folder) -> str | None:
    """Name the file that holds a folder's model: the only one, or the one called as libraries call it."""
    unnumbered = [name for name in folder.weights if label_of(_stem(name)) is None]
    if len(unnumbered) == 1:
        return unnumbered[0]
    return next((name for name in PLAIN if name in unnumbered), None)


def file_key(folder: Folder, name: str) -> str:
    """Return the place of a file below the root."""
    return f"{folder.key}/{name}" if folder.key else name


def _stem(name: str) -> str:
    return name.rpartition(".")[0]

"""Statistics and distances of weights: what was measured before is taken from the cache, the rest in one pass.

The paper's Tables 1 and 2. Moments are kept per tensor, so every scope follows from them; distances are between
backbones, because heads differ in shape.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vitzoo.errors import InputError, VitzooError
from vitzoo.measures import gram, moments, scopes, streaming
from vitzoo.measures.cache import Cache, joint_key
from vitzoo.measures.files import WeightFile, distance_of, open_all, origins
from vitzoo.measures.selection import LeftOut, Selection, reason

VERSION = 1
BATCH = 256  # checkpoints of one pass where no pairs are asked for
MOST = 4000  # checkpoints whose distances are still a matrix that fits in memory a few times
HASHERS = 4  # threads; hashing does not hold Python's lock
Tell = Callable[[int, int], None]  # (done, total), in bytes
#: Files by digest and backbone: siblings at epoch 0 may be equal to the last byte, and then one is read for all.
Copies = dict[tuple[str, Any], list[WeightFile]]


@dataclass
class Weights:
    """Moments per part [T, 5] and distance to the parent, by digest; distances among digests; what was left out."""

    parts: dict[str, list[scopes.Part]] = field(default_factory=dict)
    moments: dict[str, np.ndarray] = field(default_factory=dict)
    to_parent: dict[str, float] = field(default_factory=dict)
    distances: list[tuple[list[str], np.ndarray]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    read: int = 0

    def statistics(self, sha256: str, scope: str) -> Mapping[str, float]:
        """Return mean, std, skewness, excess kurtosis and L2 norm of a checkpoint in a scope."""
        return in_scope(self.parts[sha256], self.moments[sha256], scope)

    def matrix(self, digests: Sequence[str]) -> np.ndarray:
        """Return the distances among some digests; NaN between backbones of different shapes."""
        found = np.full((len(digests), len(digests)), np.nan)
        for known, values in self.distances:
            index = {sha256: i for i, sha256 in enumerate(known)}
            here = [i for i, sha256 in enumerate(digests) if sha256 in index]
            there = [index[digests[i]] for i in here]
            found[np.ix_(here, here)] = values[np.ix_(there, there)]
        return found


def in_scope(parts: Sequence[scopes.Part], values: np.ndarray, scope: str) -> dict[str, float]:
    """Return the statistics of a scope from the moments of a model's parts [T, 5]; InputError if it is no scope.

    They are NaN if the model has no such part.
    In an averaged scope a tensor that does not vary has no skewness and no kurtosis and counts for neither.
    """
    chosen = scopes.find(scope)
    rows = values[[chosen.holds(part.name, part.shape) for part in parts]]
    if chosen.how == scopes.POOLED and len(rows):
        return {name: float(value) for name, value in moments.statistics(moments.merge(rows)).items()}
    each = moments.statistics(rows)
    return {name: _mean(value) for name, value in each.items()}


def weigh(
    selection: Selection, pairwise: bool = True, check: bool = True, tell: Tell = lambda done, total: None
) -> Weights:
    """Measure the weights of a selection's checkpoints.

    Args:
        pairwise: whether distances among all of them are wanted, or only each one's to its parent.
        check: whether to hash what is read; without, only sizes and headers are looked at.
        tell: is called with bytes done and bytes in all.

    Checkpoints that are damaged or hold values that are not finite are left out. InputError if distances among more
    than 4,000 checkpoints are asked for.
    """
    if pairwise and len(selection.rows) > MOST:
        raise InputError(
            f"Distances among {len(selection.rows):,} checkpoints were asked for; at most {MOST:,} fit in memory. "
            "Choose fewer with --where."
        )
    found = Weights()
    files = open_all(selection.rows, selection, found.left_out)
    parents = open_all(origins(files, selection), selection, found.left_out)
    copies: Copies = {}
    for file in [*parents, *files]:
        copies.setdefault((file.sha256, file.backbone), []).append(file)
    by_shape: dict[Any, list[WeightFile]] = {}
    for (_, backbone), equal in copies.items():
        by_shape.setdefault(backbone, []).append(equal[0])
    for group in by_shape.values():
        size = len(group) if pairwise else BATCH
        for start in range(0, len(group), size):
            _Pass(selection, copies, pairwise, check, tell).take(group[start : start + size], found)
    found.left_out = list(dict.fromkeys(found.left_out))  # a damaged parent may be met twice
    return found


class _Pass:
    """Measures checkpoints of one backbone shape."""

    def __init__(self, selection: Selection, copies: Copies, pairwise: bool, check: bool, tell: Tell) -> None:
        self.zoo, self.copies, self.pairwise = selection.zoo, copies, pairwise
        self.check, self.tell = check, tell
        self.pairs, self.edges = (Cache(self.zoo, kind, VERSION) for kind in ("distances", "distances-to-parent"))

    def take(self, group: list[WeightFile], found: Weights) -> None:
        """Take what is cached and measure the rest; checkpoints with bad bytes are left out and the rest measured."""
        while group and not self._cached(group, found):
            files = self._with_parents(group)
            self.zoo.files.ahead((file.checkpoint.file for file in files), "Fetching weights")
            bad = self._hashed(files) if self.check else []
            bad = bad or self._measure(group, files, found)
            if not bad:
                return
            found.left_out += bad
            self._drop(files, {out.what for out in bad})
            group = [equal[0] for file in group if (equal := self.copies[file.sha256, file.backbone])]

    def _drop(self, files: list[WeightFile], bad: set[str]) -> None:
        """Forget bad files; if no copy of one is left, its children have no parent here."""
        for file in files:
            if file.name in bad:
                self.copies[file.sha256, file.backbone].remove(file)

    def _cached(self, group: list[WeightFile], found: Weights) -> bool:
        """Take a group from the cache if all of it is there."""
        kept = {
            file.sha256: _moments_cache(self.zoo, file).get(
                file.sha256, {"moments": (len(file.runs), len(moments.COLUMNS))}
            )
            for file in group
        }
        square = (len(kept), len(kept))
        distances = self.pairs.get(joint_key(kept), {"distances": square}) if self.pairwise else {}
        parents = {file.sha256: self._parent_cached(file) for file in group if file.row["parent_sha256"]}
        if distances is None or None in kept.values() or None in parents.values():
            return False
        for file in group:
            values = kept[file.sha256]
            assert values is not None
            found.parts[file.sha256], found.moments[file.sha256] = list(file.runs), values["moments"]
        found.to_parent |= {sha256: value for sha256, value in parents.items() if value is not None}
        if self.pairwise:
            found.distances.append((list(kept), distances["distances"]))
        return True

    def _parent_cached(self, file: WeightFile) -> float | None:
        if self._parent(file) is None:
            return float("nan")
        stored = self.edges.get(joint_key([file.sha256, file.row["parent_sha256"]]), {"distance": ()})
        return None if stored is None else float(stored["distance"])

    def _parent(self, file: WeightFile) -> WeightFile | None:
        """The checkpoint it was initialised from, if it can be read and has the same shapes."""
        equal = self.copies.get((file.row["parent_sha256"] or "", file.backbone))
        return equal[0] if equal else None

    def _with_parents(self, group: list[WeightFile]) -> list[WeightFile]:
        """Add the parents that a batch lacks."""
        parents = {p.sha256: p for file in group if (p := self._parent(file)) is not None}
        own = {file.sha256 for file in group}
        return [*(parent for sha256, parent in parents.items() if sha256 not in own), *group]

    def _hashed(self, group: list[WeightFile]) -> list[LeftOut]:
        """Return those whose bytes are not what their manifests say."""
        with ThreadPoolExecutor(HASHERS) as pool:
            problems = list(pool.map(_damage, group))
        return [LeftOut(f.name, why, damaged=True) for f, why in zip(group, problems, strict=True) if why]

    def _measure(self, group: list[WeightFile], files: list[WeightFile], found: Weights) -> list[LeftOut]:
        """Read a group's files once; return those whose numbers are not finite, in which case nothing is kept."""
        reference = self._references(files)
        pieces = streaming.plan([file.runs for file in files])
        paths = [file.checkpoint.file() for file in files]
        sums = streaming.run(paths, pieces, reference, self.pairwise, self.tell)
        found.read += len(files)
        own = [np.stack([sums.moments[part][i] for part in file.runs]) for i, file in enumerate(files)]
        bad = [
            LeftOut(file.name, "it holds values that are not finite", damaged=True)
            for file, values in zip(files, own, strict=True)
            if not np.isfinite(values).all()
        ] or [
            LeftOut(file.name, "its weights are too large for products in float32")
            for i, file in enumerate(files)
            if self.pairwise and not np.isfinite(sums.products[i, i])
        ]
        if not bad:
            self._keep(files, own, reference, sums, found)
            self._keep_edges(group, files, reference, sums, found)
        return bad

    def _references(self, files: list[WeightFile]) -> np.ndarray:
        """Index of the file that each one's differences are taken from, or -1.

        That is the parent, unless it is somebody's child itself; where it is not here, the first of its children is.
        """
        index = {file.sha256: i for i, file in enumerate(files)}
        first: dict[str, int] = {}
        near = np.full(len(files), -1)
        for i, file in enumerate(files):
            if (parent := self._parent(file)) is not None:
                near[i] = index.get(parent.sha256, -1)
            elif file.row["parent_sha256"]:
                near[i] = first.setdefault(file.row["parent_sha256"], i)
        itself = np.arange(len(files))
        near[near == itself] = -1
        return np.where(near[near] < 0, near, -1)

    def _keep(
        self,
        files: list[WeightFile],
        own: list[np.ndarray],
        reference: np.ndarray,
        sums: streaming.Sums,
        found: Weights,
    ) -> None:
        for file, values in zip(files, own, strict=True):
            found.parts[file.sha256], found.moments[file.sha256] = list(file.runs), values
            _moments_cache(self.zoo, file).put(file.sha256, {"moments": values})
        if self.pairwise:
            matrix, digests = self._distances(files, reference, sums), [file.sha256 for file in files]
            self.pairs.put(joint_key(digests), {"distances": matrix})
            found.distances.append((digests, matrix))

    def _keep_edges(
        self,
        group: list[WeightFile],
        files: list[WeightFile],
        reference: np.ndarray,
        sums: streaming.Sums,
        found: Weights,
    ) -> None:
        """Keep the distance of each of a group to its parent, exact also where the parent was no reference."""
        index = {file.sha256: i for i, file in enumerate(files)}
        for file in group:
            if not file.row["parent_sha256"]:
                continue
            parent, i = self._parent(file), index[file.sha256]
            distance = float("nan")
            if parent is not None:
                direct = reference[i] == index.get(parent.sha256, len(files))
                distance = float(np.sqrt(sums.squares[i])) if direct else distance_of(file, parent)
                self.edges.put(joint_key([file.sha256, parent.sha256]), {"distance": np.float64(distance)})
            found.to_parent[file.sha256] = distance

    def _distances(self, files: list[WeightFile], reference: np.ndarray, sums: streaming.Sums) -> np.ndarray:
        matrix, close = gram.distances(sums.products, sums.squares, reference)
        for i, j in close:
            matrix[i, j] = matrix[j, i] = distance_of(files[i], files[j])
        return matrix


def _moments_cache(zoo: Any, file: WeightFile) -> Cache:
    return Cache(zoo, "moments", VERSION, {"parts": [[part.name, list(part.shape)] for part in file.runs]})


def _damage(file: WeightFile) -> str | None:
    try:
        file.checkpoint.check()
    except VitzooError as error:
        return reason(error, file.checkpoint.member.zoo)
    return None


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")

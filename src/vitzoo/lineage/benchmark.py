"""All methods on all sets of a zoo, under both conventions of the truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitzoo.lineage.case import Case
from vitzoo.lineage.methods.trivial import known_star
from vitzoo.lineage.models import open_models
from vitzoo.lineage.recover import BLIND, recover
from vitzoo.lineage.scores import Scores, score
from vitzoo.lineage.sets import SPREAD, Sample, sample

if TYPE_CHECKING:
    import numpy as np

    from vitzoo.lineage.shown import Shown
    from vitzoo.measures.inference import Places
    from vitzoo.zoo import Zoo

STAR = "known star"  # needs the truth, so it is no method


@dataclass(frozen=True)
class Line:
    """A method's scores on a set, against the trajectory (T) and the star (S)."""

    sample: str
    method: str
    models: int
    trees: int
    trajectory: Scores
    star: Scores

    def plain(self) -> dict[str, Any]:
        """Return the line as plain data."""
        own = {name: getattr(self, name) for name in ("sample", "method", "models", "trees")}
        return own | {"trajectory": self.trajectory.plain(), "star": self.star.plain()}


def benchmark(
    zoo: "Zoo",
    sets: Sequence[str],
    methods: Sequence[str] = BLIND,
    epochs: str = SPREAD,
    seed: int = 0,
    images: "tuple[Places, int] | None" = None,
    tell: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[Line]:
    """Run methods on sets of a zoo; ``tell`` gets (what, done, total). InputError as ``sample`` and ``recover``.

    ``images`` says where data lies and how many images are shown to methods that judge by them.
    """
    lines = []
    for i, name in enumerate(sets):
        drawn = sample(zoo, name, epochs, seed=seed)
        case = Case(models_of(zoo, drawn), drawn.trees, shown=_shown(zoo, drawn, images))
        for k, method in enumerate(methods):
            tell(f"{name}: {method}", i * len(methods) + k, len(sets) * len(methods))
            lines.append(_line(drawn, method, recover(case, method)))
        lines.append(_line(drawn, STAR, known_star(drawn.truth)))
    return lines


def models_of(zoo: "Zoo", drawn: Sample):
    """Open the files of a set's checkpoints."""
    return open_models(zoo.weights(drawn.rows))


def _shown(zoo: "Zoo", drawn: Sample, images: "tuple[Places, int] | None") -> "Callable[[], Shown] | None":
    if images is None:
        return None

    def load() -> "Shown":
        from vitzoo.lineage.shown import shown  # it needs torch

        return shown(zoo, drawn.rows, *images)

    return load


def _line(drawn: Sample, method: str, found: "np.ndarray") -> Line:
    truth = drawn.truth
    against = (score(found, parents, truth.tree) for parents in (truth.trajectory, truth.star))
    return Line(drawn.name, method, len(found), drawn.trees, *against)

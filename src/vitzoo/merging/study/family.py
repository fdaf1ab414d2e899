"""Members whose checkpoints are evaluated alike, and what their averages did."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from vitzoo.measures.cache import Cache
from vitzoo.measures.scoring import Scores
from vitzoo.merging.study.judge import SOUPS, WINDOWS, Job, Judge, job
from vitzoo.merging.study.plan import Soup, Trajectory, soups

Result = tuple[float, float]  # accuracy and loss
NOTHING = (float("nan"), float("nan"))


@dataclass
class Family:
    """Trajectories of one shape, who judges averages of them, and the scores so far, by the key of a job.

    ``last`` is the size of the windows. A kind of averages is their size, or 0 for soups.
    """

    judge: Judge
    trajectories: Sequence[Trajectory]
    last: int
    scores: dict[str, Scores] = field(default_factory=dict)

    def jobs(self, kind: int) -> list[Job]:
        """Return all averages of a kind."""
        if kind == 0:
            return [job([soup.rows]) for soup in self.soups()]
        windows = (list(one.windows(kind).values()) for one in self.trajectories)
        return [job(found) for found in windows if found]

    def cache(self, kind: int) -> Cache:
        """Return where the results of a kind lie."""
        return self.judge.cache(WINDOWS, kind) if kind else self.judge.cache(SOUPS)

    def recall(self, kind: int) -> list[Job]:
        """Take what is cached of a kind; return the rest."""
        jobs = self.jobs(kind)
        self.scores |= self.judge.known(self.cache(kind), jobs)
        return [one for one in jobs if one.key not in self.scores]

    def soups(self) -> list[Soup]:
        """Return the soups of members whose last checkpoints turned out to be sound."""
        return soups(one for one in self.trajectories if self.judge.shelf.is_sound(one.last))

    def key(self, soup: Soup) -> str:
        """Return the key of a soup's score."""
        return job([soup.rows]).key

    def of_soup(self, soup: Soup) -> Result:
        """Return what a soup does; NaN if that is not known."""
        scores = self.scores.get(self.key(soup))
        return NOTHING if scores is None else (float(scores.accuracy[0]), float(scores.loss[0]))

    def of_windows(self, one: Trajectory, size: int) -> dict[int, Result]:
        """Return what a member's windows do, by epoch, as far as it is known."""
        windows = one.windows(size)
        scores = self.scores.get(job(list(windows.values())).key) if windows else None
        if scores is None:
            return {}
        return dict(zip(windows, zip(scores.accuracy.tolist(), scores.loss.tolist(), strict=True), strict=True))

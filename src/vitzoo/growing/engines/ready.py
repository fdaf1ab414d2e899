"""Which job is next: those whose needs are done, in the order they were listed (Kahn 1962, with a heap)."""

import heapq
from collections import defaultdict
from collections.abc import Sequence

from vitzoo.growing.engines.contract import Job


class Ready:
    """The open jobs of a graph. Every operation costs the edges it touches, so ten thousand jobs cost as one each.

    Raises:
        ValueError: a job needs one that is not listed, or jobs need each other in a circle.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = {job.id: job for job in jobs}
        self._place = {job.id: place for place, job in enumerate(jobs)}
        self._open = {job.id: len(job.needs) for job in jobs}  # needs that are not done yet
        self._needed_by: dict[str, list[str]] = defaultdict(list)
        for job in jobs:
            for need in job.needs:
                self._needed_by[need].append(job.id)
        self._heap = [(self._place[job.id], job.id) for job in jobs if not job.needs]  # sorted, so a heap
        self._check()

    def __len__(self) -> int:
        """Jobs that are neither done nor dropped."""
        return len(self._jobs)

    def take(self) -> Job | None:
        """Return the first job that can be begun, or None if there is none now."""
        while self._heap:
            _, job = heapq.heappop(self._heap)
            if job in self._jobs:
                return self._jobs[job]
        return None

    def put_back(self, job: str) -> None:
        """Offer a job that was taken again."""
        heapq.heappush(self._heap, (self._place[job], job))

    def done(self, job: str) -> None:
        """Count a job as done and offer what needed it only."""
        del self._jobs[job]
        for child in self._needed_by[job]:
            self._open[child] -= 1
            if self._open[child] == 0:
                self.put_back(child)

    def failed(self, job: str) -> None:
        """Drop a job and all that need it, directly or through others."""
        lost = [job]
        while lost:
            if self._jobs.pop(dropped := lost.pop(), None) is not None:
                lost += self._needed_by[dropped]

    def _check(self) -> None:
        if unknown := set(self._needed_by) - set(self._jobs):
            raise ValueError(f"Jobs need {sorted(unknown)[:3]}, which are not among the jobs.")
        open_, free = dict(self._open), [job for _, job in self._heap]
        while free:
            for child in self._needed_by.get(free.pop(), ()):
                open_[child] -= 1
                if open_[child] == 0:
                    free.append(child)
        if circle := [job for job, count in open_.items() if count]:
            raise ValueError(f"The jobs {circle[:3]} need each other in a circle.")

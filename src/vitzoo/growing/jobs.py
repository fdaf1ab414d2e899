"""Jobs: what engines schedule. Doing one twice changes nothing, because the zoo knows what it holds."""

from dataclasses import dataclass
from pathlib import Path

from vitzoo.blueprint.recipe import Recipe
from vitzoo.blueprint.schema import Dataset
from vitzoo.growing.engines.contract import Beat, Guard, Tell
from vitzoo.growing.execution import Execution
from vitzoo.growing.memory import leave_what_stays

FOLDER = ".grow"  # inside the zoo: the lock and the states of unfinished populations


@dataclass(frozen=True)
class Places:
    """Where things are: the zoo, the data root, the cache of decoded data, and whether downloads are allowed."""

    zoo: Path
    data: Path
    cache: Path
    download: bool = False


@dataclass(frozen=True)
class PrepareData:
    """Decode a data set once, before populations that use it start."""

    id: str
    dataset: Dataset
    image_size: int
    places: Places
    needs: frozenset[str] = frozenset()

    def do(self, tell: Tell, beat: Beat, guard: Guard) -> None:
        """Decode here; ``guard`` is not asked, since the cache appears whole or not at all."""
        from vitzoo.growing import populate  # torch: only workers need it

        populate.use_threads(1)  # images are decoded in threads of our own
        populate.prepare(self, tell, beat)


@dataclass(frozen=True)
class GrowPopulation:
    """Train a population's members to their last epoch. ``needs`` are ids of jobs that must be done before."""

    id: str
    recipes: tuple[Recipe, ...]
    execution: Execution
    places: Places
    needs: frozenset[str]
    cost: float

    def do(self, tell: Tell, beat: Beat, guard: Guard) -> None:
        """Train and commit here."""
        from vitzoo.growing import populate

        populate.use_threads(self.execution.threads)
        leave_what_stays()
        populate.grow(self, tell, beat, guard)


Job = PrepareData | GrowPopulation

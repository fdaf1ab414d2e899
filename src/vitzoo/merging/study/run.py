"""The study of a zoo: choose checkpoints, plan averages of them, judge these, and put what was found into tables."""

from collections.abc import Callable, Sequence

from vitzoo.errors import InputError
from vitzoo.measures.inference import Places
from vitzoo.merging.study.averages import Averages
from vitzoo.merging.study.choose import check_length, choose
from vitzoo.merging.study.family import Family
from vitzoo.merging.study.judge import VERSION, WINDOWS, open_judge, remembering
from vitzoo.merging.study.tabulate import tabulate
from vitzoo.zoo import Zoo
from vitzoo.zoo.layout import MEASURES

LAST = 5  # checkpoints in an average over epochs, as in the paper
Tell = Callable[[str, int, int], None]  # (what is being done, done, total)


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


def study(zoo: Zoo, places: Places, last: int = LAST, device: str = "cpu", tell: Tell = silent) -> Averages:
    """Average the checkpoints of a zoo's finished, supervised, fine-tuned members in all ways of the paper's study.

    What is cached is not computed again. Averages that lack a checkpoint are not made, and ``left_out`` says why.
    InputError if there is no such member, if none keeps ``last`` checkpoints, or if no images are at hand.

    >>> import vitzoo
    >>> from pathlib import Path
    >>> study(vitzoo.open("zoos/nano"), Places(Path("data"), Path("cache")))  # doctest: +SKIP
    """
    choice = choose(zoo)
    check_length(choice, last)
    families = []
    for recipe, trajectories in choice.found:
        count = sum(len(one.rows) for one in trajectories)
        judge = open_judge(choice.selection, recipe, places, device, choice.left_out, count)
        if judge is not None:
            families.append(Family(judge, trajectories, last))
    if not families:
        raise InputError(f"No average of {zoo.name} can be judged: {choice.left_out[-1]}.")
    # Soups last: until then it is known which last checkpoints cannot be read.
    for kind, what in ((1, "Judging checkpoints"), (last, "Averaging over epochs"), (0, "Averaging over factors")):
        _judge(families, kind, what, tell)
    return tabulate(zoo.name, last, families, choice.left_out)


def stored(zoo: Zoo) -> Averages | None:
    """Return the study of a zoo as far as it is cached, computing nothing; None if no study was made.

    The images are those of the last study, so none have to be at hand.
    """
    if not (zoo.path / MEASURES / f"{WINDOWS}-v{VERSION}").is_dir():
        return None
    try:
        choice = choose(zoo)
    except InputError:  # members were removed since
        return None
    known = [(remembering(choice.selection, recipe), trajectories) for recipe, trajectories in choice.found]
    families = [Family(one[0], trajectories, one[1]) for one, trajectories in known if one is not None]
    lacking = sum(len(family.recall(kind)) for family in families for kind in (1, family.last, 0))
    sizes = {family.last for family in families if family.scores}
    if len(sizes) != 1:  # nothing is there, or an interrupted study has begun with other windows
        return None
    note = "Some averages are not cached; `vitzoo merge study` makes them, or says why it cannot." if lacking else ""
    return tabulate(zoo.name, sizes.pop(), families, choice.left_out, note)


def _judge(families: Sequence[Family], kind: int, what: str, tell: Tell) -> None:
    """Judge the averages of a kind that are not cached yet."""
    missing = [(family, family.recall(kind)) for family in families]
    total, done = sum(len(job.averages) for _, jobs in missing for job in jobs), 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        tell(what, done, total)

    for family, jobs in missing:
        family.scores |= family.judge.judge(family.cache(kind), jobs, count)

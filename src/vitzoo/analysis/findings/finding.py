"""A finding: what the paper claims, and how that came out on a zoo."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitzoo.errors import InputError

if TYPE_CHECKING:
    from vitzoo.analysis.findings.intervals import Interval

HOLDS, FAILS, UNTESTABLE = "holds", "does not hold", "cannot be tested"


class Untestable(InputError):
    """What a claim needs and a zoo lacks; the text is a whole sentence."""


@dataclass(frozen=True)
class Claim:
    """What the paper says.

    key: family and claim, such as "task.accuracy". statement: the claim, a whole sentence. source: where it stands.
    paper: the paper's own numbers, short. effect: what is measured on a zoo, with its unit.
    """

    key: str
    statement: str
    source: str
    paper: str
    effect: str


@dataclass(frozen=True)
class Outcome:
    """How a claim came out: effect and interval, ``backbones`` (the units of replication) and ``members`` counted,
    whether it holds, and a sentence or two with the criterion and what it met."""

    interval: "Interval"
    backbones: int
    members: int
    holds: bool
    why: str


@dataclass(frozen=True)
class Finding:
    """A claim (see ``Claim``) and how it came out on a zoo.

    value, low, high: the effect and its 95 % interval, NaN if it cannot be tested. backbones, members: how many
    units of replication and how many members it rests on. verdict: "holds", "does not hold" (the zoo does not show
    it; ``why`` says whether it shows the opposite), or "cannot be tested". why: the criterion and how it came out, or
    what is missing; whole sentences.
    """

    key: str
    statement: str
    source: str
    paper: str
    effect: str
    value: float
    low: float
    high: float
    backbones: int
    members: int
    verdict: str
    why: str


def judge(claim: Claim, test: Callable[[], Outcome]) -> Finding:
    """Return the finding of a claim and its test; a test that raises ``Untestable`` says what is missing.

    >>> def test():
    ...     raise Untestable("The zoo has no fine-tuned members.")
    >>> found = judge(Claim("task.gap", "It is so.", "Section 3.2", "8.99 and 11.85 %", "difference, pp"), test)
    >>> found.verdict, found.why
    ('cannot be tested', 'The zoo has no fine-tuned members.')
    """
    said = (claim.key, claim.statement, claim.source, claim.paper, claim.effect)
    try:
        found = test()
    except Untestable as missing:
        unknown = float("nan")
        return Finding(*said, unknown, unknown, unknown, 0, 0, UNTESTABLE, str(missing))
    limits = (float(found.interval.value), float(found.interval.low), float(found.interval.high))
    return Finding(*said, *limits, found.backbones, found.members, HOLDS if found.holds else FAILS, found.why)

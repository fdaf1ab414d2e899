"""Criteria: when an effect and its interval bear a claim out, and the sentences that say so.

An effect that must exceed a limit does so with its whole interval. One that does not is either refuted, the interval
lies wholly beyond the limit, or not decided; the sentence says which.
"""

from vitzoo.analysis.findings.intervals import Interval

# Disjoint modes, a steady order: at most one pair or one case in twenty is an exception.
NEARLY_ALL = 0.95
# "One order of magnitude": the ratio is nearer to ten than to one, on the scale on which orders of magnitude are equal.
ORDER_OF_MAGNITUDE = 10**0.5

Judgement = tuple[bool, str]


def above(found: Interval, limit: float, unit: str = "") -> Judgement:
    """Whether the whole interval is above a limit, and a sentence that says so.

    >>> above(Interval(4.1, 2.0, 6.2), 0.0, " pp")
    (True, 'The criterion is a lower limit above 0 pp, and it is 2 pp.')
    """
    text = f"The criterion is a lower limit above {number(limit)}{unit}"
    return _one_sided(found.low > limit, found.high < limit, text, number(found.low) + unit)


def below(found: Interval, limit: float, unit: str = "") -> Judgement:
    """Whether the whole interval is below a limit, and a sentence that says so.

    >>> below(Interval(1.2, 0.8, 1.6), 1.0)[1]
    'The criterion is an upper limit below 1, but it is 1.6; the interval leaves it undecided.'
    """
    text = f"The criterion is an upper limit below {number(limit)}{unit}"
    return _one_sided(found.high < limit, found.low > limit, text, number(found.high) + unit)


def within(found: Interval, low: float, high: float) -> Judgement:
    """Whether the whole interval lies between two limits: a test of being alike, not merely of no proven difference."""
    text = f"The criterion is an interval between {number(low)} and {number(high)}"
    opposite = found.high < low or found.low > high
    met = f"{number(found.low)} to {number(found.high)}"
    return _one_sided(low < found.low and found.high < high, opposite, text, met)


def apart_from(found: Interval, limit: float, unit: str = "") -> Judgement:
    """Whether the interval excludes a value on either side, for claims that name no direction."""
    holds = not found.low <= limit <= found.high
    text = f"The criterion is an interval that does not include {number(limit)}{unit}"
    return holds, f"{text}, {'and' if holds else 'but'} it is {number(found.low)} to {number(found.high)}{unit}."


def nearly_all(found: Interval, or_none: bool = False) -> Judgement:
    """Whether a share, in percent, is nearly all and told from one half; with ``or_none`` nearly none will do as well.

    >>> nearly_all(Interval(100.0, 60.0, 100.0))[0], nearly_all(Interval(99.0, 45.0, 99.9))[0]
    (True, False)
    """
    most, fewest = 100 * NEARLY_ALL, round(100 * (1 - NEARLY_ALL), 9)
    holds = (found.value >= most and found.low > 50) or (or_none and found.value <= fewest and found.high < 50)
    ends = f"at least {number(most)} %" + (f" or at most {number(fewest)} %" if or_none else "")
    met = f"the share is {number(found.value)} % with an interval of {number(found.low)} to {number(found.high)} %"
    text = f"The criterion is a share of {ends}, with an interval that does not include 50 %"
    return holds, f"{text}, {'and' if holds else 'but'} {met}."


def number(value: float) -> str:
    """Write a number with three significant digits and a true minus sign, without an exponent up to a million.

    >>> number(-0.6144), number(2753.2), number(0.0), number(1e-5)
    ('−0.614', '2753', '0', '1e−05')
    """
    text = f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    return text.replace("-", "−")


def _one_sided(holds: bool, opposite: bool, text: str, met: str) -> Judgement:
    if holds:
        return True, f"{text}, and it is {met}."
    return False, f"{text}, but it is {met}; the interval {'refutes it' if opposite else 'leaves it undecided'}."

r"""Decision rules: from rows to ``supported``, ``refuted`` or ``inconclusive``, by margins that were fixed before.

A rule asks for an *effect*: a ratio of times, a ratio or a level of something read, or a share of runs.  It has two
margins.  ``claimed`` is the least effect that still counts as what was claimed.  ``least`` is what the interval must
lie beyond, so that there is an effect at all.  With the estimate x and its 95 % interval [l, u], for an effect that is
claimed to be large:

- supported: :math:`x \ge \text{claimed}` and :math:`l > \text{least}`;
- refuted: :math:`u < \text{claimed}`;
- inconclusive otherwise, also with fewer pairs than :data:`PAIRS`, or a planned run that is missing.

Where a run spent its budget, the estimate is a bound.  A bound from above can refute and not support; a bound from
below can support and not refute.  Rules that nest decide by the decisions of others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from anglewise.lab.report.format import number
from anglewise.lab.stats import Interval
from anglewise.lab.studies.claims.rows import Sample

Word: TypeAlias = Literal["supported", "refuted", "inconclusive"]
PAIRS: Mapping[str, int] = {"likely": 10, "grid": 3}
"""Fewest paired seeds for a decision, in the likely reading and in another world of the grid."""


class Decision(NamedTuple):
    """What a rule says of a sample.

    Attributes:
        word: The verdict.
        estimate: The effect with its interval; None where there is none.
        unit: What the estimate counts, for instance ``times as fast``.
        bound: ``"<= "`` or ``">= "`` where the estimate is a bound, ``"~ "`` where both sides were cut off.
        n: Paired seeds behind it.
        says: One sentence with the numbers.
        needs: What it would take to decide; empty where it is decided.
        parts: Decisions that it rests on, by name.
    """

    word: Word
    estimate: Interval | None
    unit: str
    bound: str
    n: int
    says: str
    needs: str = ""
    parts: tuple[tuple[str, Decision], ...] = ()


@runtime_checkable
class Rule(Protocol):
    """Decides a sample."""

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms that it looks at."""

    def decide(self, sample: Sample, least_pairs: int) -> Decision:
        """The decision of a sample; `least_pairs` is the fewest paired seeds that decide."""


def margin(estimate: Interval, claimed: float, least: float, larger: bool = True) -> Word:
    """The word for an estimate; without an interval there is none.

    Example:
        >>> margin(Interval(4.0, 3.5, 4.6, "t"), claimed=3.0, least=1.5)
        'supported'
        >>> margin(Interval(2.0, 1.6, 2.5, "t"), claimed=3.0, least=1.5)
        'refuted'
        >>> margin(Interval(0.2, 0.1, 0.4, "t"), claimed=0.5, least=1.0, larger=False)
        'supported'
    """
    if estimate.low is None or estimate.high is None:
        return "inconclusive"
    if larger:
        if estimate.value >= claimed and estimate.low > least:
            return "supported"
        return "refuted" if estimate.high < claimed else "inconclusive"
    if estimate.value <= claimed and estimate.high < least:
        return "supported"
    return "refuted" if estimate.low > claimed else "inconclusive"


def settled(
    word: Word, estimate: Interval, unit: str, n: int, says: str, *, short: str, claimed: str, bound: str = ""
) -> Decision:
    """The decision by an estimate: inconclusive where something is missing, or where more seeds would be needed.

    Args:
        word: What the margins say.
        estimate, unit, n, says, bound: As in :class:`Decision`.
        short: What is missing for a decision, from :func:`shortfall`; empty where nothing is.
        claimed: The margin that an undecided interval holds, as text.
    """
    needs = short or (f"more seeds: the interval holds {claimed}" if word == "inconclusive" else "")
    return Decision("inconclusive" if needs else word, estimate, unit, bound, n, says, needs)


def shortfall(sample: Sample, arms: Sequence[str], n: int, least_pairs: int) -> str:
    """What is missing for a decision: planned runs that are not there, or too few pairs."""
    missing = sample.missing(arms)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"the missing runs: {missing[0]}{more}"
    return f"{least_pairs} paired seeds, there are {n}" if n < least_pairs else ""


def undecided(sample: Sample, arms: Sequence[str], n: int, least_pairs: int, unit: str) -> Decision:
    """The decision without a single number."""
    needs = shortfall(sample, arms, n, least_pairs)
    return Decision("inconclusive", None, unit, "", n, "There is no number to decide by.", needs)


def exponential(interval: Interval) -> Interval:
    """An estimate on the logarithm as a ratio."""
    low, high = (None if x is None else math.exp(x) for x in (interval.low, interval.high))
    return Interval(math.exp(interval.value), low, high, interval.method)


def ends(interval: Interval) -> str:
    """An estimate and its interval as text.

    Example:
        >>> ends(Interval(2.0, 1.5, 2.6, "t"))
        '2 [1.50, 2.60]'
    """
    if interval.low is None or interval.high is None:
        return f"{number(interval.value)} [no interval]"
    return f"{number(interval.value)} [{number(interval.low)}, {number(interval.high)}]"


def quoted(arm: str) -> str:
    """An arm's name in a sentence."""
    return f"'{arm}'"

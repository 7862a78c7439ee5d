r"""Intervals for what a whole procedure scores: leave out a group of seeds, do everything again, look how far it moves.

The score :math:`\theta` of a procedure that fits models and then judges them varies for two reasons: other runs would
have been judged, and other runs would have been fitted on.  An interval that holds the fitted models fixed knows the
first alone and is too narrow.  Here all of it is done again on what remains without group g of G, which gives
:math:`\theta_{(g)}`, and the variance of :math:`\theta` is estimated by the delete-a-group jackknife:

.. math:: v = \frac{G - 1}{G} \sum_{g=1}^{G} (\theta_{(g)} - \theta)^2

A group is everything that shares randomness.  Groups that depend on each other make v too small.

*A share* (of runs, or of pairs, as an AUC is) with this variance is worth as many independent draws as

.. math:: n^* = \frac{\theta (1 - \theta)}{v} \left(\frac{z}{t_{G-1}}\right)^2

and gets the interval of Clopper and Pearson for :math:`\theta n^*` of :math:`n^*`; z and t are the quantiles of the
normal distribution and of Student's.  A share of n runs is worth at most n.  Where v is 0, or the share is 0 or 1, the
groups do not show how they differ: then :math:`n^* = G`, and the ends are at least :math:`t \sqrt v` away.

*A median* is where the share below crosses one half: its interval holds every value m for which neither "less than half
lie at or below m" nor "more than half lie below m" is shown by the interval of that share.

Sources: Efron & Stein, Ann. Stat. 9 (1981) 586 (v is not too small on average, whatever the procedure); Kott,
J. Off. Stat. 17 (2001) 521 (groups, and t with G - 1); Korn & Graubard, Survey Methodology 24 (1998) 193 (the share);
Woodruff, J. Am. Stat. Assoc. 47 (1952) 635 (the median).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import special

from anglewise.lab.stats.estimate import LEVEL, Interval, censored_median

GROUPS = 20
"""At most; each costs the whole procedure once more."""


def seed_groups(seeds: Sequence[int], most: int = GROUPS) -> np.ndarray:
    """Number the groups to leave out: runs of equal seed are in one, and groups have nearly equally many seeds.

    Args:
        seeds: Of every run.
        most: Largest number of groups.

    Returns:
        Number of the group of every run, from 0 on.

    Example:
        >>> seed_groups([3, 3, 5, 8]).tolist(), seed_groups(range(5), most=3).tolist()
        ([0, 0, 1, 2], [0, 0, 1, 1, 2])
    """
    different, place = np.unique(np.asarray(seeds), return_inverse=True)
    size = math.ceil(len(different) / most)
    return np.asarray(place // size)


def jackknife_share(value: float, left_out: Sequence[float], most: float = math.inf, level: float = LEVEL) -> Interval:
    """A share, or another expected value between 0 and 1, with its interval.

    Args:
        value: On all runs.
        left_out: The same without each group.
        most: Independent draws that it can be worth at most: of how many runs it is a share.
        level: Confidence level in (0, 1).

    Returns:
        The share and its interval.  Without ends where fewer than two groups were left out, or where the share does
        not exist without one of them.

    Example:
        >>> interval = jackknife_share(0.5, [0.4, 0.5, 0.5, 0.6])
        >>> round(interval.low, 2), round(interval.high, 2)
        (0.13, 0.87)
        >>> round(jackknife_share(0.0, [0.0] * 8).high, 3), round(1 - 0.025 ** (1 / 8), 3)
        (0.369, 0.369)
    """
    if len(left_out) < 2 or not np.isfinite(left_out).all():
        return Interval(value, None, None, "none")
    low, high = _ends(np.asarray(value), np.asarray(left_out, float), most, level)
    return Interval(value, float(low), float(high), "jackknife")


def jackknife_median(values: np.ndarray, left_out: Sequence[np.ndarray], level: float = LEVEL) -> Interval:
    """A median with its interval, whose ends are among the values.

    Args:
        values: Of all runs, at least one; minus infinity for one that counts as less than any.
        left_out: The values of the remaining runs without each group, found again without it.
        level: Confidence level in (0, 1).

    Returns:
        The median as :func:`~anglewise.lab.stats.estimate.censored_median` has it (minus infinity where most are), and
        its ends.  Without ends where fewer than two groups were left out, or where one of them leaves no value, or
        where nothing shows how far up it could be: the median may lie beyond all values of fewer than six groups.

    Example:
        >>> values = np.arange(40.0)
        >>> jackknife_median(values, [values[np.arange(40) % 8 != g] for g in range(8)])
        Interval(value=19.5, low=7.0, high=32.0, method='jackknife')
    """
    middle = censored_median([None if v == -math.inf else -v for v in values.tolist()])
    value = -math.inf if middle is None else -middle
    if len(left_out) < 2 or not all(map(len, left_out)):
        return Interval(value, None, None, "none")
    at = np.unique(values)

    def ends(side: Literal["left", "right"]) -> tuple[np.ndarray, np.ndarray]:
        """Of the share of values below each, or at and below it."""
        shares = [np.searchsorted(np.sort(some), at, side=side) / len(some) for some in (values, *left_out)]
        return _ends(shares[0], np.stack(shares[1:]), len(values), level)

    inside = at[(ends("left")[0] <= 0.5) & (ends("right")[1] >= 0.5)]
    low, high = float(inside[0]), float(inside[-1])
    if ((1 - level) / 2) ** (1 / len(left_out)) <= 0.5:  # so few that all of them may lie on one side of the median
        low = low if low > at[0] else -math.inf
        high = high if high < at[-1] else math.inf
    return Interval(value, low, high, "jackknife") if high < math.inf else Interval(value, None, None, "none")


def _ends(value: np.ndarray, left_out: np.ndarray, most: float, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the intervals of shares ``[...]`` of which ``[groups, ...]`` were found without each group."""
    groups = len(left_out)
    variance = (groups - 1) / groups * ((left_out - value) ** 2).sum(axis=0)
    t, z = special.stdtrit(groups - 1, (1 + level) / 2), special.ndtri((1 + level) / 2)
    once = value * (1 - value)
    known = (once > 0) & (variance > 0)
    worth = np.where(known, np.minimum(once / np.where(known, variance, 1) * (z / t) ** 2, most), groups)
    hits, misses = value * worth, (1 - value) * worth
    low = np.where(hits > 0, special.betaincinv(np.where(hits > 0, hits, 1), misses + 1, (1 - level) / 2), 0.0)
    high = np.where(misses > 0, special.betaincinv(hits + 1, np.where(misses > 0, misses, 1), (1 + level) / 2), 1.0)
    margin = np.where(once > 0, 0.0, t * np.sqrt(variance))
    return np.maximum(np.minimum(low, value - margin), 0), np.minimum(np.maximum(high, value + margin), 1)

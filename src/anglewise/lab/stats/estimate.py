r"""Estimates with their uncertainty: a share, a median, and a mean of which some terms are known to be zero.

A *time* is a positive number, or None for a run that never got there within the budget (a diverged run never
did).  No estimate here averages only the runs that made it.

Accuracy is evaluated every :math:`e` steps.  A crossing at :math:`t` is only known to lie in :math:`(t - e, t]`.  The
estimates are made of the recorded :math:`t`; the intervals are for the crossing itself, and allow for the *grid*
:math:`e`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special  # a part of SciPy: all of its `stats` takes 1.5 s to import

LEVEL = 0.95
COARSE = 0.6
"""Standard deviation, in grids, below which rounding errors count as alike: times on two evaluations have 0.5."""


class Interval(NamedTuple):
    """An estimate and its confidence interval; the ends are None where the observations allow none.

    `method` says how the ends were computed: ``exact`` (a share), ``order statistics`` (a median), ``t``, ``share``,
    ``share and t`` (a mean), or ``none``.
    """

    value: float
    low: float | None
    high: float | None
    method: str


@functools.lru_cache(maxsize=4096)
def share(successes: int, n: int, level: float = LEVEL) -> Interval:
    r"""Share of successes with the exact interval of Clopper and Pearson.

    .. math:: P(\mathrm{Bin}(n, p_{\text{low}}) \ge k) = P(\mathrm{Bin}(n, p_{\text{high}}) \le k) = \alpha/2

    It covers every share with at least the level.

    Args:
        successes: :math:`k`, how many of the `n`.
        n: Number of trials, at least 1.
        level: Confidence level in (0, 1).

    Returns:
        The share, in [0, 1], and its interval; never of zero width, also at 0 and at `n` successes.

    Raises:
        ValueError: If `n` is below 1 or `successes` outside 0 to `n`.

    Example:
        >>> all_of_them = share(8, 8)
        >>> all_of_them.value, round(all_of_them.low, 3), all_of_them.high
        (1.0, 0.631, 1.0)

    Source: Clopper & Pearson, Biometrika 26 (1934) 404.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"expected 0 <= successes <= n and n >= 1, got successes={successes} and n={n}")
    tail = (1 - level) / 2
    low = special.betaincinv(successes, n - successes + 1, tail) if successes else 0.0
    high = special.betaincinv(successes + 1, n - successes, 1 - tail) if successes < n else 1.0
    return Interval(successes / n, float(low), float(high), "exact")


def censored_median(times: Sequence[float | None]) -> float | None:
    r"""Median of times of which some are only known to exceed the budget.

    With :math:`n` runs of which :math:`k` made it: the ordinary median, None counting as infinite, if
    :math:`2k > n`; the largest of the :math:`k`, which is Kaplan and Meier's smallest :math:`t` with
    :math:`S(t) \le 1/2`, if :math:`2k = n`; unknown, hence beyond the budget, if :math:`2k < n`.

    Args:
        times: One per run, in any unit; None for a run that never got there.

    Returns:
        The median in the same unit, or None for "beyond the budget".

    Raises:
        ValueError: If there is no run at all, or a time is not finite.

    Example:
        >>> censored_median([80, 100, 120, None]), censored_median([80, None, None])
        (110.0, None)

    Source: Kaplan & Meier, J. Am. Stat. Assoc. 53 (1958) 457.
    """
    reached = [float(t) for t in times if t is not None]
    if not times:
        raise ValueError("the median of no runs does not exist: give at least one time")
    if not all(math.isfinite(t) for t in reached):
        raise ValueError("times must be finite: give None for a run that never got there")
    if 2 * len(reached) < len(times):
        return None
    if 2 * len(reached) == len(times):
        return max(reached)
    return float(np.median(reached + [math.inf] * (len(times) - len(reached))))


def median_interval(times: Sequence[float | None], *, grid: float = 0.0, level: float = LEVEL) -> Interval:
    r"""Median of times of which some may be beyond the budget, with its interval from order statistics.

    .. math:: [t_{(k)} - e, t_{(n+1-k)}], \qquad k = \max\{k : P(\mathrm{Bin}(n, 1/2) < k) \le \alpha/2\}

    It assumes nothing about the distribution and covers with at least the level.

    Args:
        times: One per run, in any unit; None for a run that never got there.
        grid: :math:`e`, time between two evaluations, in the same unit; 0 for exact times.
        level: Confidence level in (0, 1).

    Returns:
        Median and ends; infinite for beyond the budget.  Ends are None for fewer than six runs at 95 %.

    Raises:
        ValueError: If there is no run at all.

    Example:
        >>> median_interval([5, 1, 2, 3, 4, 6, None])
        Interval(value=4.0, low=1.0, high=inf, method='order statistics')

    Source: David & Nagaraja, Order Statistics (2003), section 7.1; `scipy.stats.quantile_test`.
    """
    middle = censored_median(times)
    value = math.inf if middle is None else middle
    numbers = [math.inf if t is None else float(t) for t in times]
    from scipy import stats

    low, high = map(float, stats.quantile_test(numbers, p=0.5).confidence_interval(level))
    if math.isnan(low) or math.isnan(high):
        return Interval(value, None, None, "none")
    return Interval(value, max(low - grid, 0.0), high, "order statistics")


def mean_interval(
    part: Sequence[float] | np.ndarray,
    n: int,
    *,
    least: float = 0.0,
    shared: float = 0.0,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    level: float = LEVEL,
) -> Interval:
    r"""Mean of n numbers of which k are given and the others are zero because nothing happened there.

    With :math:`m` and :math:`s` the mean and standard deviation of the k, and :math:`\hat p = k/n`, the mean is
    :math:`\hat p m`.  Of :math:`m` the interval :math:`[l, u]` is Student's, of the share it is the exact one,
    :math:`[p_l, p_u]`, and the two are put together as independent parts of an error (for :math:`m > 0`; for
    :math:`m < 0` the ends of the share change places):

    .. math::

        l, u = m \mp \sqrt{t_{k-1}^2 \max(s, s_0)^2 / k + z^2 r^2}, \qquad
        \hat p m - \sqrt{(\hat p - p_l)^2 m^2 + \hat p^2 (m - l)^2}, \quad
        \hat p m + \sqrt{(p_u - \hat p)^2 m^2 + \hat p^2 (u - m)^2}

    with the quantiles :math:`t_{k-1}` of Student's distribution and :math:`z` of the normal one, since :math:`r` is
    known and not estimated.  Where all n are given it is :math:`[l, u]` alone.  Student's interval over all n, zeros
    included, covers only 85 to 90 % where many are zero.

    Args:
        part: The k numbers, shape ``[k]``.
        n: Of how many.
        least: :math:`s_0`, least standard deviation, as rounding alone gives it: equal numbers may be equal by luck.
        shared: :math:`r`, standard error that all numbers share, so that more of them do not lower it.
        bounds: Least and largest possible value of a number; where one alone is given, that is all that is known.
        level: Confidence level in (0, 1).

    Returns:
        Mean and ends; no ends for fewer than two of n, or where one alone is given and `bounds` are infinite.

    Raises:
        ValueError: If `part` has more than n numbers, or n is below 1.

    Example:
        >>> mean = mean_interval([1.0, 2.0, 3.0], 3)
        >>> round(mean.low, 2), mean.value, round(mean.high, 2), mean.method
        (-0.48, 2.0, 4.48, 't')

    Source: Zou & Donner, Stat. Med. 27 (2008) 1693, for putting intervals together.
    """
    values = np.asarray(part, float)
    k = len(values)
    if n < 1 or k > n:
        raise ValueError(f"expected at most n numbers and n >= 1, got {k} numbers and n={n}")
    mean = float(np.mean(values)) if k else 0.0
    if n < 2 or (k < 2 and not all(map(math.isfinite, bounds))):
        return Interval(k / n * mean, None, None, "none")
    low, high = bounds
    if k >= 2:
        scatter = max(float(np.std(values, ddof=1)), least) / math.sqrt(k)
        half = math.hypot(_student(k - 1, level) * scatter, _student(math.inf, level) * shared)
        low, high = max(low, mean - half), min(high, mean + half)
    if k == n:
        return Interval(mean, low, high, "t")
    p = share(k, n, level)
    assert p.low is not None and p.high is not None
    if k == 0:
        return Interval(0.0, min(0.0, p.high * low), max(0.0, p.high * high), "share")
    less, more = (p.low, p.high) if mean > 0 else (p.high, p.low)
    down = math.hypot(mean * (p.value - less), p.value * (mean - low))
    up = math.hypot(mean * (more - p.value), p.value * (high - mean))
    return Interval(p.value * mean, p.value * mean - down, p.value * mean + up, "share and t")


def shared_rounding(times: np.ndarray, grid: np.ndarray) -> np.ndarray:
    r"""Standard error that the evaluation grid gives to all times of an arm alike: :math:`e / \sqrt{12}`, or 0.

    Times that all lie between the same two evaluations have rounding errors that are alike and do not average out.
    Times that spread over several have independent ones, which are part of their scatter.  The border is a standard
    deviation of :data:`COARSE` grids.

    Args:
        times: Recorded times of the runs that got there, shape ``[k]``.
        grid: Time between two evaluations in the same unit, shape ``[k]``.

    Returns:
        Shape ``[k]``, in the unit of the times.

    Example:
        >>> shared_rounding(np.array([60.0, 60.0]), np.array([10.0, 10.0])).round(2)
        array([2.89, 2.89])
        >>> shared_rounding(np.array([60.0, 80.0]), np.array([10.0, 10.0]))
        array([0., 0.])
    """
    spread = np.std(times, ddof=1) if len(times) > 1 else 0.0
    alike = len(times) > 0 and spread < COARSE * np.mean(grid)
    return np.asarray(grid / math.sqrt(12) if alike else 0.0 * grid)


@functools.lru_cache(maxsize=1024)
def _student(freedom: float, level: float) -> float:
    return float(special.stdtrit(freedom, (1 + level) / 2))

r"""Survival: the share of runs that has not yet generalised, and what it integrates to.

All runs share one budget :math:`B`, so the only censoring is at :math:`B`, and Kaplan and Meier's estimate is
one minus the empirical distribution.  Its area up to :math:`B` is the restricted mean, the mean of
:math:`\min(T, B)`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from anglewise.lab.stats.estimate import LEVEL, Interval, mean_interval, shared_rounding


class SurvivalCurve(NamedTuple):
    """A step function: `share` holds from the time at its own index until the next.

    It starts at time 0 and ends at the budget; `censored` of the `n` runs had not got there by then.
    """

    times: np.ndarray
    share: np.ndarray
    n: int
    censored: int


def capped(times: Sequence[float | None], budget: ArrayLike) -> np.ndarray:
    r"""Times as numbers: :math:`\min(T, B)`, and :math:`B` for a run that never got there.

    Args:
        times: One per run; None for never.
        budget: :math:`B`, in the unit of the times: the same for all runs, or shape ``[n]``.

    Returns:
        Shape ``[n]``, in the unit of the budget.

    Raises:
        ValueError: If the budget is not positive or a time is negative or NaN.

    Example:
        >>> capped([80, None], budget=200)
        array([ 80., 200.])
    """
    most = np.broadcast_to(np.asarray(budget, float), (len(times),))
    if not np.all(most > 0):
        raise ValueError(f"the budget must be positive, got {budget!r}")
    values = np.array([b if t is None else t for t, b in zip(times, most, strict=True)], float)
    if not np.all(values >= 0):
        raise ValueError("times must not be negative or NaN: give None for a run that never got there")
    return np.asarray(np.minimum(values, most))


def in_time(times: Sequence[float | None], budget: ArrayLike) -> np.ndarray:
    """Which runs got there within the budget.

    Args:
        times: One per run; None for never.
        budget: In the unit of the times: the same for all runs, or shape ``[n]``.

    Returns:
        Shape ``[n]``, true or false.

    Example:
        >>> in_time([80, 300, None], budget=200)
        array([ True, False, False])
    """
    return np.array([math.inf if t is None else t for t in times], float) <= np.asarray(budget, float)


def kaplan_meier(times: Sequence[float | None], budget: float) -> SurvivalCurve:
    r"""Share of runs that has not yet generalised, as a function of time.

    .. math:: S(t) = \prod_{t_i \le t} \Bigl(1 - \frac{d_i}{n_i}\Bigr)

    with :math:`d_i` runs that generalise at :math:`t_i` of :math:`n_i` that had not before.

    Args:
        times: One per run; None, or beyond the budget, counts as censored at the budget.
        budget: :math:`B`, in the unit of the times.

    Returns:
        The curve from (0, 1) to the budget.

    Raises:
        ValueError: If there is no run, or as :func:`capped`.

    Example:
        >>> kaplan_meier([100, 120, None, None], budget=200).share
        array([1.  , 0.75, 0.5 , 0.5 ])

    Source: Kaplan & Meier, J. Am. Stat. Assoc. 53 (1958) 457.
    """
    values = capped(times, budget)
    if not len(values):
        raise ValueError("the survival curve of no runs does not exist: give at least one time")
    reached = in_time(times, budget)
    steps, generalised = np.unique(values[reached], return_counts=True)
    at_risk = len(values) - np.cumsum(generalised) + generalised
    share = np.cumprod((at_risk - generalised) / at_risk)  # nobody is censored before the budget
    early = steps < budget
    return SurvivalCurve(
        np.concatenate([[0.0], steps[early], [budget]]),
        np.concatenate([[1.0], share[early], share[-1:] if len(share) else [1.0]]),
        n=len(values),
        censored=int(np.sum(~reached)),
    )


def restricted_mean(
    times: Sequence[float | None], budget: ArrayLike, *, grid: ArrayLike = 0.0, level: float = LEVEL
) -> Interval:
    r"""Mean time within the budget, the area under the survival curve.

    .. math:: \mu_B = \int_0^B S(t)\,dt = \frac{1}{n} \sum_i \min(T_i, B) = B - \hat p \, (B - m)

    with :math:`\hat p` the share of the runs that got there and :math:`m` their mean time.  Where all got there the
    interval is Student's.  Otherwise Student's interval of :math:`B - m` and the exact one of the share are put
    together, as in :func:`~anglewise.lab.stats.mean_interval`.  Where none did, only the share is left:
    :math:`[B (1 - p_u), B]`.  In the interval, times count as the middle :math:`t - e/2` of where they are known to
    lie.  Their standard deviation is taken as :math:`e/\sqrt{12}` at least, and what they share of their rounding is
    added, see :func:`~anglewise.lab.stats.estimate.shared_rounding`.

    No interval covers what no run has shown: where one run in ten takes ten times as long, eight seeds often have none
    of them.  The interval of the *share* tells that risk (8 of 8 leaves up to 37 % that never get there).

    Args:
        times: One per run; None for a run that never got there, which counts as :math:`B`.
        budget: :math:`B`, in the unit of the times: the same for all runs, or shape ``[n]``.
        grid: :math:`e`, time between two evaluations, in the same unit; as `budget`.  0 for exact times.
        level: Confidence level in (0, 1).

    Returns:
        The restricted mean, in the unit of the budget, and its interval within 0 and B; no ends for a single run.

    Raises:
        ValueError: If there is no run, or as :func:`capped`.

    Example:
        >>> restricted_mean([100, None], budget=200).value
        150.0

    Source: Royston & Parmar, BMC Med. Res. Methodol. 13 (2013) 152.
    """
    values = capped(times, budget)
    n = len(values)
    if not n:
        raise ValueError("the mean of no runs does not exist: give at least one time")
    most = np.broadcast_to(np.asarray(budget, float), (n,))
    reached = in_time(times, most)
    e = np.minimum(np.broadcast_to(np.asarray(grid, float), (n,)), values)[reached]
    end = float(np.mean(most if reached.all() else most[~reached]))
    gained = end - (values[reached] - e / 2)
    shared = float(np.mean(shared_rounding(values[reached], e))) if len(e) else 0.0
    least = float(np.mean(e)) / math.sqrt(12) if len(e) else 0.0
    gain = mean_interval(gained, n, least=least, shared=shared, bounds=(0.0, end), level=level)
    value = float(np.mean(values))
    if gain.low is None or gain.high is None:
        return Interval(value, None, None, gain.method)
    return Interval(value, max(end - gain.high, 0.0), min(max(end - gain.low, value), end), gain.method)


def logrank(x: Sequence[float | None], y: Sequence[float | None], budget: float) -> float:
    r"""Two-sided p-value of the log-rank test that two groups of runs have the same survival curve.

    .. math:: Z = \frac{\sum_i (d_{xi} - n_{xi} d_i / n_i)}
                       {\sqrt{\sum_i \frac{n_{xi} n_{yi} d_i (n_i - d_i)}{n_i^2 (n_i - 1)}}}

    It takes the groups as independent: where seeds are paired, :func:`~anglewise.lab.stats.sign_flip` is the
    test to prefer.

    Args:
        x: Times of one group; None for never.
        y: Times of the other.
        budget: :math:`B`, in the unit of the times.

    Returns:
        The p-value; 1 where no run of either group got there.

    Raises:
        ValueError: If a group is empty, or as :func:`capped`.

    Example:
        >>> logrank([None, None], [None], budget=200)
        1.0

    Source: Mantel, Cancer Chemother. Rep. 50 (1966) 163; `scipy.stats.logrank`.
    """
    if not len(x) or not len(y):
        raise ValueError(f"the log-rank test needs runs in both groups, got {len(x)} and {len(y)}")
    from scipy import stats  # takes 1.5 s to import, and reports do without

    def censored(times: Sequence[float | None]) -> stats.CensoredData:
        values, reached = capped(times, budget), in_time(times, budget)
        return stats.CensoredData(uncensored=values[reached], right=values[~reached])

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # 0/0 where no event happened while both groups were at risk
        p = float(stats.logrank(censored(x), censored(y)).pvalue)
    return 1.0 if np.isnan(p) else p

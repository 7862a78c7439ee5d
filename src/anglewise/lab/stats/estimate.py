r"""Estimates with their uncertainty: a share, a median, and the bootstrap interval of anything.

A *time* is a positive number, or None for a run that never got there within the budget (a diverged run never
did).  No estimate here averages only the runs that made it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
RESAMPLES = 9999


class Interval(NamedTuple):
    """An estimate and its confidence interval; the ends are None where one observation allows none.

    `method` says how the ends were found: ``wilson``, ``bca``, ``percentile`` or ``none``.
    """

    value: float
    low: float | None
    high: float | None
    method: str


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval:
    r"""Share of successes with Wilson's score interval.

    .. math:: \frac{1}{1 + z^2/n} \Bigl(\hat p + \frac{z^2}{2n}
              \pm z \sqrt{\tfrac{\hat p (1 - \hat p)}{n} + \tfrac{z^2}{4 n^2}}\Bigr)

    Args:
        successes: How many of the `n`.
        n: Number of trials, at least 1.
        level: Confidence level in (0, 1).

    Returns:
        The share, in [0, 1], and its interval; never of zero width, also at 0 and at `n` successes.

    Raises:
        ValueError: If `n` is below 1 or `successes` outside 0 to `n`.

    Example:
        >>> share = wilson(8, 8)
        >>> share.value, round(share.low, 3), share.high
        (1.0, 0.676, 1.0)

    Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"expected 0 <= successes <= n and n >= 1, got successes={successes} and n={n}")
    ends = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    return Interval(successes / n, float(ends.low), float(ends.high), "wilson")


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


def median_interval(times: Sequence[float | None], level: float = LEVEL) -> Interval:
    r"""Median of times of which some may be beyond the budget, with its interval from order statistics.

    .. math:: [t_{(k)}, t_{(n+1-k)}], \qquad k = \max\{k : P(\mathrm{Bin}(n, 1/2) < k) \le \alpha/2\}

    It assumes nothing about the distribution and covers with at least the level.

    Args:
        times: One per run, in any unit; None for a run that never got there.
        level: Confidence level in (0, 1).

    Returns:
        Median and ends; infinite for beyond the budget.  Ends are None for fewer than six runs at 95 %.

    Raises:
        ValueError: If there is no run at all.

    Example:
        >>> median_interval([5, 1, 2, 3, 4, 6, None])
        Interval(value=4.0, low=1.0, high=inf, method='order statistics')

    Source: David & Nagaraja, Order Statistics (2003), section 7.1.
    """
    middle = censored_median(times)
    value = math.inf if middle is None else middle
    ordered = sorted(math.inf if t is None else float(t) for t in times)
    n = len(ordered)
    k = int(stats.binom.ppf((1 - level) / 2, n, 0.5))
    while k > 0 and stats.binom.cdf(k - 1, n, 0.5) > (1 - level) / 2:
        k -= 1
    if k < 1:
        return Interval(value, None, None, "none")
    return Interval(value, ordered[k - 1], ordered[n - k], "order statistics")


def bootstrap_interval(
    samples: Sequence[np.ndarray],
    statistic: Callable[..., np.ndarray],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    r"""A statistic with its bootstrap interval; several samples are resampled in pairs.

    Bias-corrected and accelerated (BCa); where that does not exist (all values equal, say) the percentile
    interval :math:`[\hat\theta^*_{(\alpha/2)}, \hat\theta^*_{(1-\alpha/2)}]`.  With fewer than two
    observations there is no interval.

    Args:
        samples: Arrays of one shape ``[n]``; element i of each belongs to the same seed.
        statistic: ``(*samples, axis) -> values``, vectorised over the other axes.
        level: Confidence level in (0, 1).
        resamples: Number of bootstrap resamples.
        seed: Of the resampling; equal input gives equal output.

    Returns:
        The statistic of the samples, in its own unit, and its interval.

    Raises:
        ValueError: If the samples are empty or of unequal length.

    Example:
        >>> bootstrap_interval([np.array([5.0, 5.0])], np.mean)
        Interval(value=5.0, low=5.0, high=5.0, method='percentile')

    Source: Efron, J. Am. Stat. Assoc. 82 (1987) 171; `scipy.stats.bootstrap`.
    """
    data = tuple(np.asarray(sample, float) for sample in samples)
    sizes = sorted({len(sample) for sample in data})
    if len(sizes) != 1 or sizes[0] == 0:
        raise ValueError(f"expected samples of one length, at least 1, got lengths {sizes}")
    value = float(statistic(*data, axis=-1))
    if sizes[0] < 2:
        return Interval(value, None, None, "none")
    for method in ("bca", "percentile"):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # scipy warns where BCa degenerates; that case is handled below
            found = stats.bootstrap(
                data, statistic, paired=True, vectorized=True, confidence_level=level, n_resamples=resamples,
                method=method, rng=np.random.default_rng(seed),
            ).confidence_interval  # fmt: skip
        if np.isfinite(found.low) and np.isfinite(found.high):
            break
    return Interval(value, float(found.low), float(found.high), method)

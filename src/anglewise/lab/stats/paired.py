r"""Two arms on the same seeds: how much sooner, how certain, and how surprising without any difference.

Runs of equal seed share split, first weights and batch order, so they are compared pair by pair, on the scale
on which speed-ups add: the logarithm.  One number, the geometric mean of the paired ratios, is estimated,
given an interval and tested.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from anglewise.lab.stats.estimate import LEVEL, RESAMPLES, Interval, bootstrap_interval


def speed_up(
    baseline: Sequence[float],
    arm: Sequence[float],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    r"""How many times sooner than the baseline: the geometric mean of paired ratios of times.

    .. math:: \exp\Bigl(\frac{1}{n} \sum_{s=1}^{n} (\log T^{\text{baseline}}_s - \log T^{\text{arm}}_s)\Bigr)

    Above 1 the arm is faster.  Times are capped at the budget before they come here, so a baseline that often
    spends its budget makes the speed-up an understatement, and an arm that does makes it an overstatement.

    Args:
        baseline: Times of the baseline, shape ``[n]``, positive, one per seed.
        arm: Times of the arm on the same seeds, in the same unit and order.
        level: Confidence level in (0, 1).
        resamples: Number of paired bootstrap resamples.
        seed: Of the resampling.

    Returns:
        The speed-up, without unit, and its interval (BCa, or percentile where BCa does not exist).

    Raises:
        ValueError: If there are no pairs, lengths differ, or a time is not positive and finite.

    Example:
        >>> round(speed_up([100, 200], [50, 100]).value, 6)
        2.0
    """
    x, y = _pairs(baseline, arm)
    return bootstrap_interval([x, y], _geometric, level=level, resamples=resamples, seed=seed)


def sign_flip(baseline: Sequence[float], arm: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    r"""Two-sided p-value under which every pair might as well have been the other way round.

    The statistic is the mean paired log-difference; its null distribution comes from flipping the signs of
    the differences, all :math:`2^n` ways if these are at most `resamples` (n up to 13), else that many at
    random.  The smallest possible value is :math:`2^{1-n}`.

    Args:
        baseline: Times of the baseline, shape ``[n]``, positive, one per seed.
        arm: Times of the arm on the same seeds, in the same unit and order.
        resamples: Largest number of sign patterns.
        seed: Of the random patterns.

    Returns:
        The p-value, in (0, 1]; 1 where all pairs are equal.

    Raises:
        ValueError: As :func:`speed_up`.

    Example:
        >>> sign_flip([2.0] * 8, [1.0] * 8)
        0.0078125

    Source: Fisher, The Design of Experiments (1935), section 21; `scipy.stats.permutation_test`.
    """
    x, y = _pairs(baseline, arm)
    difference = np.log(x) - np.log(y)
    if len(difference) < 2 or not difference.any():
        return 1.0
    # the exact p-value counts |flipped| >= |observed|; scipy doubles the smaller tail, which for a
    # symmetric null distribution is the same
    found = stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", vectorized=True, n_resamples=resamples,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return min(1.0, float(found.pvalue))


def holm(p: Sequence[float]) -> list[float]:
    r"""p-values adjusted for having tested several arms, by Holm's step-down method.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min\bigl(1, (m - j + 1)\, p_{(j)}\bigr)

    Args:
        p: One per arm, each in [0, 1].

    Returns:
        Adjusted p-values, in the order given.

    Raises:
        ValueError: If a value lies outside [0, 1].

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]

    Source: Holm, Scand. J. Stat. 6 (1979) 65.
    """
    values = np.asarray(p, float)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"p-values lie in [0, 1], got {list(p)}")
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * values[order]))
    return [float(value) for value in adjusted]


def _pairs(baseline: Sequence[float], arm: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(baseline, float), np.asarray(arm, float)
    if x.shape != y.shape or x.ndim != 1 or not len(x):
        raise ValueError(f"expected as many times for the arm as for the baseline, got {y.shape} and {x.shape}")
    if not np.all(np.isfinite(x) & (x > 0) & np.isfinite(y) & (y > 0)):
        raise ValueError("times must be positive and finite: cap a run that never got there at the budget")
    return x, y


def _geometric(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.asarray(np.exp(np.mean(np.log(x) - np.log(y), axis=axis)))

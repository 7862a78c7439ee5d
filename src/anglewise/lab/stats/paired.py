r"""Two arms on the same seeds: how much sooner, how certain, and how surprising without any difference.

Runs of equal seed share split, first weights and batch order, so they are compared pair by pair, on the scale
on which speed-ups add: the logarithm.  One number, the geometric mean of the paired ratios, is estimated,
given an interval and tested.

A run that never got there counts as the budget.  A pair in which *neither* run got there has the ratio 1 whatever the
two would have done later: it carries no information, and where all pairs are such, nothing is estimated.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from anglewise.lab.stats.estimate import LEVEL, Interval, mean_interval, shared_rounding
from anglewise.lab.stats.survival import capped, in_time

EXACT = 40
"""Pairs up to which all sign patterns are counted."""
FLIPS = 9999
"""Random sign patterns beyond."""


class PValue(NamedTuple):
    """A p-value in (0, 1].

    Attributes:
        value: The p-value, or the least that the method can give.
        at_most: Whether the true p-value may be smaller than the value.
    """

    value: float
    at_most: bool = False


def speed_up(
    baseline: Sequence[float | None],
    arm: Sequence[float | None],
    budget: ArrayLike = math.inf,
    *,
    grid: ArrayLike = 0.0,
    level: float = LEVEL,
) -> Interval | None:
    r"""How many times sooner than the baseline: the geometric mean of paired ratios of times.

    .. math:: \exp(\bar z), \qquad
        z_s = \log \min(T^{\text{baseline}}_s, B) - \log \min(T^{\text{arm}}_s, B)

    Above 1 the arm is faster.  A baseline that often spends its budget makes the speed-up an understatement, an arm
    that does makes it an overstatement.

    The interval is Student's on the :math:`z_s`.  Pairs in which neither run got there enter as a share, as in
    :func:`~anglewise.lab.stats.mean_interval`.  A crossing recorded at :math:`t` lies in :math:`(t - e, t]`, so the
    interval is made of the middles :math:`m = t - e/2`, and reaches to the estimate at least.  Rounding alone gives the
    :math:`z_s` a standard deviation :math:`s_0`, below which :math:`s` is not taken.  Where the times of an arm lie
    between the same few evaluations, :math:`r` is what their rounding errors share (0 for the others):

    .. math:: \bar z \mp \sqrt{t_{n-1}^2 \max(s, s_0)^2 / n + 1.96^2 (r_{\text{baseline}}^2 + r_{\text{arm}}^2)}, \qquad
        s_0^2 = \frac{e^2}{12} \operatorname{mean}_s \Bigl(\frac{1}{m_{\text{baseline}, s}^2}
        + \frac{1}{m_{\text{arm}, s}^2}\Bigr), \quad
        r = \frac{e}{\sqrt{12}} \operatorname{mean}_s \frac{1}{m_s}

    Args:
        baseline: Times of the baseline, shape ``[n]``, positive, one per seed; None for a run that never got there.
        arm: Times of the arm on the same seeds, in the same unit and order.
        budget: :math:`B` in the unit of the times; a number, or shape ``[2, n]`` for one of each run (baseline, arm).
        grid: :math:`e`, time between two evaluations, in the same unit; as `budget`.  0 for exact times.
        level: Confidence level in (0, 1).

    Returns:
        The speed-up, without unit, and its interval, without ends for one pair that carries information.  None where
        no pair does.

    Raises:
        ValueError: If there are no pairs, lengths differ, or a time is not positive and finite.

    Example:
        >>> ratio = speed_up([100, 200, 150], [50, 100, 80])
        >>> round(ratio.value, 2), round(ratio.low, 2), round(ratio.high, 2)
        (1.96, 1.78, 2.15)
        >>> speed_up([None, None], [None, None], budget=200) is None
        True
    """
    times, reached = _pairs(baseline, arm, budget)
    either = reached[0] | reached[1]
    if not either.any():
        return None
    e = np.where(reached, np.minimum(np.asarray(grid, float), times), 0.0)
    middle = times - e / 2
    alike = np.zeros_like(times)
    for i in range(2):
        alike[i, reached[i]] = shared_rounding(times[i, reached[i]], e[i, reached[i]])
    shared = math.hypot(*np.mean((alike / middle)[:, either], axis=1))
    least = math.sqrt(np.mean(np.sum(np.square(e / middle)[:, either], axis=0)) / 12)
    logs = mean_interval(_log_ratios(middle)[either], len(either), least=least, shared=shared, level=level)
    value = math.exp(float(np.mean(_log_ratios(times))))
    if logs.low is None or logs.high is None:
        return Interval(value, None, None, logs.method)
    return Interval(value, min(math.exp(logs.low), value), max(math.exp(logs.high), value), logs.method)


def sign_flip(
    baseline: Sequence[float | None], arm: Sequence[float | None], budget: ArrayLike = math.inf, *, seed: int = 0
) -> PValue:
    r"""Two-sided p-value under which every pair might as well have been the other way round.

    .. math:: p = 2^{-n} \#\Bigl\{\varepsilon \in \{-1, 1\}^n :
        \bigl|\sum_s \varepsilon_s z_s\bigr| \ge \bigl|\sum_s z_s\bigr|\Bigr\}

    over all :math:`2^n` sign patterns for n up to :data:`EXACT`.  The patterns are counted by meeting in the middle:
    the sums of either half of the pairs are listed in order, and each sum of one list is looked up in the other.
    Beyond, :math:`p = (1 + c) / (1 + R)` with :math:`c` of :math:`R` random patterns as extreme.  If none is, the
    p-value is only known to be at most :math:`1 / (1 + R)`.

    Args:
        baseline: Times of the baseline, shape ``[n]``, positive, one per seed; None for a run that never got there.
        arm: Times of the arm on the same seeds, in the same unit and order.
        budget: :math:`B` in the unit of the times; a number, or shape ``[2, n]``.
        seed: Of the random patterns.

    Returns:
        The p-value, in (0, 1]; 1 where all pairs are equal.

    Raises:
        ValueError: As :func:`speed_up`.

    Example:
        >>> sign_flip([2.0] * 8, [1.0] * 8)
        PValue(value=0.0078125, at_most=False)

    Source: Fisher, The Design of Experiments (1935), section 21; Horowitz & Sahni, J. ACM 21 (1974) 277;
    Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39.
    """
    z = _log_ratios(_pairs(baseline, arm, budget)[0])
    rounding = 100 * np.finfo(float).eps * float(np.sum(np.abs(z)))  # sums that are equal on paper count as equal
    least = abs(float(np.sum(z))) - rounding
    if len(z) < 2 or least <= 0:
        return PValue(1.0)
    if len(z) > EXACT:
        hits = int(np.sum(np.abs(_flips(len(z), seed) @ z) >= least))
        return PValue((1 + hits) / (1 + FLIPS), at_most=hits == 0)
    one, other = (_sums(half) for half in np.array_split(z, 2))
    # sums are as often above `least` as below `-least`
    hits = int(np.sum(len(one) - np.searchsorted(one, least - other)))
    return PValue(2 * hits / (len(one) * len(other)))


def holm(p: Sequence[PValue]) -> list[PValue]:
    r"""p-values adjusted for having tested several arms, by Holm's step-down method.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min\bigl(1, (m - j + 1)\, p_{(j)}\bigr)

    Args:
        p: One per arm, each in [0, 1].

    Returns:
        Adjusted p-values, in the order given; one that follows from a p-value that is only an upper bound is one, too.

    Raises:
        ValueError: If a value lies outside [0, 1].

    Example:
        >>> [one.value for one in holm([PValue(0.01), PValue(0.04), PValue(0.03)])]
        [0.03, 0.06, 0.06]

    Source: Holm, Scand. J. Stat. 6 (1979) 65.
    """
    if not all(0 <= one.value <= 1 for one in p):
        raise ValueError(f"p-values lie in [0, 1], got {[one.value for one in p]}")
    adjusted, worst = list(p), PValue(0.0)
    for i, place in enumerate(sorted(range(len(p)), key=lambda place: p[place].value)):
        raised = (len(p) - i) * p[place].value
        if raised > worst.value:
            worst = PValue(1.0) if raised >= 1 else PValue(raised, p[place].at_most)
        adjusted[place] = worst
    return adjusted


@functools.lru_cache(maxsize=4)
def _flips(n: int, seed: int) -> np.ndarray:
    """Random sign patterns, shape ``[FLIPS, n]``: the same for all arms of so many pairs."""
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(FLIPS, n))


def _sums(z: np.ndarray) -> np.ndarray:
    """Sums over all sign patterns, ascending, shape ``[2 ** len(z)]``."""
    sums = np.zeros(1)
    for size in np.abs(z):
        sums = np.concatenate([sums - size, sums + size])
        sums.sort(kind="stable")  # merges the two halves, which are sorted
    return sums


def _log_ratios(times: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(times[0]) - np.log(times[1]))


def _pairs(
    baseline: Sequence[float | None], arm: Sequence[float | None], budget: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Capped times of the baseline and the arm, and which of them got there; both of shape ``[2, n]``."""
    if len(baseline) != len(arm) or not len(baseline):
        raise ValueError(f"expected as many times for the arm as for the baseline, got {len(arm)} and {len(baseline)}")
    both, budgets = (baseline, arm), np.broadcast_to(np.asarray(budget, float), (2, len(baseline)))
    times = np.stack([capped(arm, most) for arm, most in zip(both, budgets, strict=True)])
    if not np.all(np.isfinite(times) & (times > 0)):
        raise ValueError("times must be positive and finite: give None, and the budget, for a run that never got there")
    return times, np.stack([in_time(arm, most) for arm, most in zip(both, budgets, strict=True)])

r"""Area under the ROC curve, over pairs inside strata, with an interval that knows which points belong together.

.. math:: \text{AUC} = \frac{\sum_s \sum_{i \in s: y_i = 1} \sum_{j \in s: y_j = 0} w_i w_j
    ([p_i > p_j] + \tfrac12 [p_i = p_j])}{\sum_s \sum_i \sum_j w_i w_j}

1/2 is what knowing nothing gives.  With steps as strata, so does knowing the step.  Points of one run resemble each
other, so the bootstrap draws whole clusters of runs.
"""

from __future__ import annotations

import math

import numpy as np

from anglewise.lab.stats.estimate import LEVEL, Interval


def auc(score: np.ndarray, y: np.ndarray, within: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Share of pairs (true, false) of one stratum in which the true one has the higher score; ties count half.

    Args:
        score: Shape ``[n]``.
        y: True or false.
        within: Stratum of each; pairs are formed inside one.
        weight: How often each counts; None for once.

    Returns:
        The share over the pairs of all strata; NaN where there is no pair.

    Example:
        >>> auc(np.array([0.1, 0.9, 0.9]), np.array([False, True, False]), np.zeros(3))
        0.75
    """
    return _Pairs(score, y, within).share(np.ones(len(y)) if weight is None else weight)


class _Pairs:
    """Pairs within strata, sorted once for any weights."""

    def __init__(self, score: np.ndarray, y: np.ndarray, within: np.ndarray):
        """Number the distinct scores, stratum by stratum in ascending order."""
        order = np.lexsort((score, within))
        self.order, self.y = order, np.asarray(y, bool)[order]
        stratum = np.unique(within, return_inverse=True)[1][order]
        new = np.r_[True, (np.diff(stratum) != 0) | (np.diff(score[order]) != 0)]
        self.code = np.cumsum(new) - 1
        self.start = self.code[np.searchsorted(stratum, stratum[new], side="left")]  # first number of its stratum
        self.strata, self.stratum = int(stratum.max(initial=-1)) + 1, stratum

    def share(self, weight: np.ndarray) -> float:
        """The area if each point counts as often as its weight says."""
        w, n = weight[self.order], int(self.code.max(initial=-1)) + 1
        positive = np.bincount(self.code, w * self.y, n)
        negative = np.bincount(self.code, w * ~self.y, n)
        total = np.r_[0.0, np.cumsum(negative)]
        won = positive @ (total[:-1] - total[self.start] + negative / 2)
        pairs = np.bincount(self.stratum, w * self.y, self.strata) @ np.bincount(self.stratum, w * ~self.y, self.strata)
        return float(won / pairs) if pairs > 0 else math.nan


def auc_interval(
    score: np.ndarray, y: np.ndarray, within: np.ndarray, cluster: np.ndarray, resamples: int
) -> Interval | None:
    """AUC with a percentile interval from resampled clusters.

    Args:
        score: Shape ``[n]``; NaN where nothing was said, and the point is left out.
        y: True or false.
        within: Stratum of each.
        cluster: Number of the cluster that each belongs to; they are drawn whole.
        resamples: Of the bootstrap.

    Returns:
        The area and its interval; None where there is no pair.
    """
    told = np.isfinite(score)
    if not told.any():
        return None
    pairs, cluster = _Pairs(score[told], y[told], within[told]), cluster[told]
    value = pairs.share(np.ones(told.sum()))
    if not math.isfinite(value):
        return None
    rng, n = np.random.default_rng(0), int(cluster.max()) + 1
    drawn = [pairs.share(rng.multinomial(n, np.full(n, 1 / n)).astype(float)[cluster]) for _ in range(resamples)]
    if np.isfinite(drawn).sum() < 2:
        return Interval(value, None, None, "none")
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high), "percentile")

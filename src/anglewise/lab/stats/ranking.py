r"""Area under the ROC curve, over pairs inside strata.

.. math:: \text{AUC} = \frac{\sum_s \sum_{i \in s: y_i = 1} \sum_{j \in s: y_j = 0}
    ([p_i > p_j] + \tfrac12 [p_i = p_j])}{\sum_s n_s^+ n_s^-}

1/2 is what knowing nothing gives.  With steps as strata, so does knowing the step.
"""

from __future__ import annotations

import math

import numpy as np


def auc(score: np.ndarray, y: np.ndarray, within: np.ndarray) -> float:
    """Share of pairs (true, false) of one stratum in which the true one has the higher score; ties count half.

    Args:
        score: Shape ``[n]``; NaN where there is none, and the point is left out.
        y: True or false.
        within: Stratum of each; pairs are formed inside one.

    Returns:
        The share over the pairs of all strata; NaN where there is no pair.

    Example:
        >>> auc(np.array([0.1, 0.9, 0.9]), np.array([False, True, False]), np.zeros(3))
        0.75
    """
    usable = np.isfinite(score)
    order = np.lexsort((score[usable], within[usable]))
    score, y, within = score[usable][order], np.asarray(y, bool)[usable][order], within[usable][order]
    if not len(score):
        return math.nan
    new = np.r_[True, np.diff(within) != 0]
    stratum = np.cumsum(new) - 1
    value = np.cumsum(new | np.r_[True, np.diff(score) != 0]) - 1  # number of a distinct score, ascending in a stratum
    positive, negative = np.bincount(value, y), np.bincount(value, ~y)
    before = np.r_[0, np.cumsum(negative)]
    won = positive @ (before[:-1] - before[value[new]][stratum[np.r_[True, np.diff(value) != 0]]] + negative / 2)
    pairs = np.bincount(stratum, y) @ np.bincount(stratum, ~y)
    return float(won / pairs) if pairs > 0 else math.nan


def alike(x: np.ndarray, within: np.ndarray) -> bool:
    """Whether all points of a stratum have the same features, so that no model can rank them and the area is 1/2.

    Args:
        x: Features, shape ``[n, k]``.
        within: Stratum of each.

    Example:
        >>> alike(np.array([[1.0], [1.0], [2.0]]), np.array([0, 0, 1])), alike(np.array([[1.0], [2.0]]), np.zeros(2))
        (True, False)
    """
    order = np.argsort(within, kind="stable")
    same = np.diff(within[order]) == 0
    return not (same[:, None] & (np.diff(x[order], axis=0) != 0)).any()

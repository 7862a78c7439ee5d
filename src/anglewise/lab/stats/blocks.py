"""Neurons in the order in which a neuron-by-frequency map shows its blocks."""

from __future__ import annotations

import numpy as np


def block_order(shares: np.ndarray) -> np.ndarray:
    """Sort neurons by their best frequency, and within one by their share of it, the largest first.

    Args:
        shares: Share of each neuron's variance at each frequency, shape ``[neurons, f]``; a row of NaN is a dead
            neuron.

    Returns:
        Neurons in order, shape ``[neurons]``, dead ones last: ``shares[block_order(shares)]`` is block-diagonal where
        neurons are selective.

    Example:
        >>> block_order(np.array([[0.1, 0.6], [0.8, 0.1], [np.nan, np.nan], [0.9, 0.0], [0.0, 0.7]])).tolist()
        [3, 1, 4, 0, 2]
    """
    shares = np.asarray(shares, float)
    dead = np.isnan(shares).any(axis=1)
    known = np.where(dead[:, None], -1.0, shares)
    return np.lexsort((-known.max(axis=1), known.argmax(axis=1), dead))

r"""Logistic regression with a ridge, for features of any scale and classes of any size.

Features are standardised on what is fitted and cut off at :data:`CUT` standard deviations, so that a value far outside
what was seen cannot decide by itself.  Both classes weigh one half in all: a model that learns nothing says 1/2, and
not the share of its training set, which differs from fold to fold and would rank the folds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

RIDGE = 0.01
CUT = 4.0
DIGITS = 9
"""Of a probability; more would let rounding break ties."""


def fit(x: np.ndarray, y: np.ndarray, ridge: float = RIDGE) -> Callable[[np.ndarray], np.ndarray]:
    r"""Logistic regression with a ridge, on standardised and cut features, both classes weighing one half.

    .. math:: \min_{\beta, b} \; \sum_i w_i \log\bigl(1 + e^{-s_i (\beta \cdot z_i + b)}\bigr)
              + \tfrac{\rho}{2} |\beta|^2, \qquad s_i = \pm 1

    Args:
        x: Features, shape ``[n, k]``; rows with a NaN are left out.
        y: Whether it came true, shape ``[n]``.
        ridge: rho.

    Returns:
        A function from features to probabilities: 1/2 where only one class was seen, NaN for a row with a NaN.
    """
    usable = np.isfinite(x).all(axis=1)
    x, y = x[usable], y[usable].astype(float)
    if not 0 < y.sum() < len(y):
        return lambda new: np.where(np.isfinite(new).all(axis=1), 0.5, np.nan)
    middle, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-9 * (np.abs(middle) + 1e-9), spread, np.inf)  # a constant tells nothing

    def design(raw: np.ndarray) -> np.ndarray:
        return np.column_stack([np.clip((raw - middle) / spread, -CUT, CUT), np.ones(len(raw))])

    z = design(x)
    weight = np.where(y > 0, 0.5 / y.sum(), 0.5 / (len(y) - y.sum()))
    pull = np.r_[np.full(z.shape[1] - 1, ridge), 1e-9]
    beta = np.zeros(z.shape[1])

    def loss(b: np.ndarray) -> float:
        return float(weight @ np.logaddexp(0, (1 - 2 * y) * (z @ b)) + 0.5 * pull @ (b * b))

    for _ in range(50):  # Newton, halved where it would not descend
        p = _sigmoid(z @ beta)
        slope = z.T @ (weight * (p - y)) + pull * beta
        curvature = (z * (weight * p * (1 - p))[:, None]).T @ z + np.diag(pull)
        step, scale, here = np.linalg.solve(curvature, slope), 1.0, loss(beta)
        while loss(beta - scale * step) > here and scale > 1e-6:
            scale /= 2
        beta = beta - scale * step
        if np.abs(scale * step).max() < 1e-8:
            break
    return lambda new: np.round(_sigmoid(design(new) @ beta), DIGITS)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))

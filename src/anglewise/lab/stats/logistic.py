r"""Logistic regression with a ridge, for features of any scale and classes of any size.

Features are standardised on what is fitted and cut off at :data:`CUT` standard deviations, so that a value far outside
what was seen cannot decide by itself.  Both classes weigh one half in all: a model that learns nothing says 1/2, and
not the share of its training set, which differs from fold to fold and would rank the folds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RIDGE = 0.01
CUT = 4.0
DIGITS = 9
"""Of a probability; more would let rounding break ties."""


class Model(NamedTuple):
    """A fitted model: a function from features ``[n, k]`` to probabilities ``[n]``."""

    middle: np.ndarray
    """Means of the features, shape ``[k]``."""
    spread: np.ndarray
    """Their standard deviations; infinite for a constant, which tells nothing."""
    beta: np.ndarray
    """Weights of the standardised features, then the offset, shape ``[k + 1]``."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Probabilities; NaN for a row with a NaN."""
        return np.round(_losses(self.design(x) @ self.beta)[1], DIGITS)

    def design(self, x: np.ndarray) -> np.ndarray:
        """Standardised and cut features and a column of ones, shape ``[n, k + 1]``."""
        z = np.ones((len(x), x.shape[1] + 1))
        z[:, :-1] = np.clip((x - self.middle) / self.spread, -CUT, CUT)
        return z


def fit(x: np.ndarray, y: np.ndarray, ridge: float = RIDGE) -> Model:
    r"""Logistic regression with a ridge, on standardised and cut features, both classes weighing one half.

    .. math:: \min_{\beta, b} \; \sum_i w_i \log\bigl(1 + e^{-s_i (\beta \cdot z_i + b)}\bigr)
              + \tfrac{\rho}{2} |\beta|^2, \qquad s_i = \pm 1

    Args:
        x: Features, shape ``[n, k]``; rows with a NaN are left out.
        y: Whether it came true, shape ``[n]``.
        ridge: rho.

    Returns:
        A model that says 1/2 where only one class was seen.
    """
    usable = np.isfinite(x).all(axis=1)
    x, y = x[usable], y[usable].astype(float)
    if not 0 < y.sum() < len(y):
        return Model(np.zeros(x.shape[1]), np.ones(x.shape[1]), np.zeros(x.shape[1] + 1))
    middle, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-9 * (np.abs(middle) + 1e-9), spread, np.inf)
    z = Model(middle, spread, np.zeros(0)).design(x)
    weight = np.where(y > 0, 0.5 / y.sum(), 0.5 / (len(y) - y.sum()))
    pull = np.r_[np.full(z.shape[1] - 1, ridge), 1e-9]
    sign = 2 * y - 1

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        each, right = _losses(sign * (z @ b))
        return float(weight @ each + 0.5 * pull @ (b * b)), right

    beta = np.zeros(z.shape[1])
    here, right = loss(beta)
    for _ in range(50):  # Newton, halved where it would not descend
        slope = pull * beta - (weight * sign * (1 - right)) @ z
        curvature = (z * (weight * right * (1 - right))[:, None]).T @ z + np.diag(pull)
        step = np.linalg.solve(curvature, slope)
        there, right = loss(beta - step)
        while there > here and np.abs(step).max() > 1e-8:
            step /= 2
            there, right = loss(beta - step)
        beta, here = beta - step, there
        if np.abs(step).max() < 1e-8:
            break
    return Model(middle, spread, beta)


def _losses(margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log(1 + exp(-m)) and 1 / (1 + exp(-m)), by one exponential that cannot overflow."""
    small = np.exp(-np.abs(margin))
    return np.log1p(small) - np.minimum(margin, 0), np.where(margin < 0, small, 1) / (1 + small)

"""Losses that control logits: their formulas, and that off is the plain cross-entropy to the bit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.lab.methods.logits import LabelSmoothing, LogitNorm, Temperature, ZLoss
from anglewise.lab.protocols.loss import cross_entropy

DRAW = np.random.default_rng(0)
Z, Y = DRAW.normal(size=(20, 7)) * 5, DRAW.integers(0, 7, 20).astype(np.int32)


def slow(z, y):
    """Log of the normaliser, and cross-entropy, row by row."""
    total = [np.log(sum(np.exp(x) for x in row)) for row in z]
    return np.array(total), np.array([t - row[c] for t, row, c in zip(total, z, y, strict=True)])


def smoothed(z, y, share):
    return torch.nn.functional.cross_entropy(
        torch.tensor(z), torch.tensor(y).long(), label_smoothing=share, reduction="none"
    ).numpy()


@pytest.mark.parametrize(
    ("method", "want"),
    [
        (Temperature(2.5), slow(Z / 2.5, Y)[1]),
        (LogitNorm(0.03), slow(Z, Y)[1] + 0.03 * np.array([sum(x * x for x in row) for row in Z])),
        (LabelSmoothing(0.2), smoothed(Z, Y, 0.2)),
        (ZLoss(0.02), slow(Z, Y)[1] + 0.02 * slow(Z, Y)[0] ** 2),
    ],
    ids=lambda x: type(x).__name__,
)
def test_a_loss_equals_the_obvious_one(method, want):
    with jax.enable_x64(True):
        np.testing.assert_allclose(method.loss(jnp.asarray(Z), jnp.asarray(Y)), want, rtol=1e-12)


OFF = [Temperature(1.0), LogitNorm(0.0), LabelSmoothing(0.0), ZLoss(0.0)]
ON = [Temperature(1.1), LogitNorm(0.1), LabelSmoothing(0.1), ZLoss(0.1)]


@pytest.mark.parametrize(("off", "on"), list(zip(OFF, ON, strict=True)), ids=lambda x: type(x).__name__)
def test_off_is_the_plain_cross_entropy_to_the_bit(off, on):
    z, y = jnp.asarray(Z, jnp.float32), jnp.asarray(Y)
    plain, *rest = (jax.value_and_grad(lambda z, f=f: jnp.mean(f(z, y)))(z) for f in (cross_entropy, off.loss, on.loss))
    assert all(np.array_equal(a, b) for a, b in zip(plain, rest[0], strict=True))
    assert not np.array_equal(plain[1], rest[1][1])  # control
    assert rest[1][1].dtype == jnp.float32


def test_large_logits_stay_finite():
    z = jnp.asarray([[1e4, -1e4, 0.0]])
    for method in ON:
        value, pull = jax.value_and_grad(lambda z, m=method: jnp.sum(m.loss(z, jnp.asarray([1]))))(z)
        assert np.isfinite(value) and np.isfinite(pull).all()

"""StableMax and the float64 softmax: the drop-in's values, in a float32 program, however it is transformed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.lab.methods.prieto2025_stablemax import Softmax64, StableMax
from anglewise.lab.protocols.loss import cross_entropy
from anglewise.torch.methods.prieto2025_stablemax import stablemax_cross_entropy

DRAW = np.random.default_rng(0)
Z = (DRAW.normal(size=(20, 7)) * 8).astype(np.float32)
Z[0, :3] = 0
Y = DRAW.integers(0, 7, 20).astype(np.int32)
EVERY = pytest.mark.parametrize("method", [StableMax(), Softmax64()], ids=lambda m: type(m).__name__)


def mean_of(method, y=Y):
    return lambda z: jnp.mean(method.loss(z, jnp.asarray(y)))


def in_torch(method, z, y=Y):
    z = torch.tensor(z, requires_grad=True)
    if isinstance(method, StableMax):
        loss = stablemax_cross_entropy(z, torch.tensor(y))
    else:
        loss = torch.nn.functional.cross_entropy(z.double(), torch.tensor(y).long())
    loss.backward()
    return loss.item(), z.grad.numpy()


@EVERY
def test_value_and_gradient_are_those_of_the_drop_in_to_the_last_bit_but_one(method):
    value, pull = jax.value_and_grad(mean_of(method))(jnp.asarray(Z))
    want, gradient = in_torch(method, Z)
    assert value.dtype == pull.dtype == jnp.float32
    np.testing.assert_allclose(value, want, rtol=1e-6)
    np.testing.assert_allclose(pull, gradient, rtol=1e-6, atol=1e-30)


def test_float64_keeps_a_gradient_that_float32_rounds_away():
    z, y = np.zeros((1, 5), np.float32), np.array([2], np.int32)
    z[0, 2] = 25
    plain = jax.grad(lambda z: jnp.sum(cross_entropy(z, jnp.asarray(y))))(jnp.asarray(z))
    kept = jax.grad(mean_of(Softmax64(), y))(jnp.asarray(z))
    assert plain[0, 2] == 0 and kept[0, 2] < 0  # the first is the control
    np.testing.assert_allclose(kept, in_torch(Softmax64(), z, y)[1], rtol=1e-6)


@EVERY
def test_jit_vmap_map_scan_and_jacrev_give_the_same(method):
    z = jnp.stack([jnp.asarray(Z), 2 * jnp.asarray(Z), -jnp.asarray(Z)])
    want = np.stack([jax.grad(mean_of(method))(x) for x in z])
    gradient = jax.grad(mean_of(method))
    ways = {
        "vmap": jax.jit(jax.vmap(gradient)),
        "map": jax.jit(lambda z: jax.lax.map(gradient, z)),
        "map in batches": jax.jit(lambda z: jax.lax.map(gradient, z, batch_size=2)),
        "scan": jax.jit(lambda z: jax.lax.scan(lambda c, x: (c, gradient(x)), 0, z)[1]),
        "jacrev": jax.jit(jax.vmap(jax.jacrev(mean_of(method)))),
    }
    for name, way in ways.items():
        np.testing.assert_allclose(way(z), want, rtol=1e-6, atol=1e-12, err_msg=name)


@EVERY
def test_a_float64_program_can_differentiate_twice(method):
    with jax.enable_x64(True):
        z = jnp.asarray(Z[:2] / 8, jnp.float64)
        f = mean_of(method, Y[:2])
        hessian = np.asarray(jax.jit(jax.hessian(f))(z))
        nudge = np.zeros(Z[:2].shape)
        nudge[1, 3] = 1e-5
        by_difference = (np.asarray(jax.grad(f)(z + nudge)) - np.asarray(jax.grad(f)(z - nudge))) / 2e-5
        np.testing.assert_allclose(hessian[1, 3], by_difference, atol=1e-8)
        assert np.abs(hessian).max() > 1e-3


def test_known_probabilities_and_the_slope_at_0_is_1():
    loss = StableMax().loss(jnp.asarray([[1.0, 0.0], [-1.0, 0.0]]), jnp.asarray([0, 0]))
    np.testing.assert_allclose(np.exp(-loss), [2 / 3, 1 / 3], rtol=1e-6)
    pull = jax.grad(lambda z: jnp.sum(StableMax().loss(z, jnp.asarray([0]))))(jnp.zeros((1, 2)))
    np.testing.assert_allclose(pull, [[-0.5, 0.5]], rtol=1e-6)


def test_as_trained_computes_in_the_logits_precision():
    one, other = (StableMax(precision=p).loss(jnp.asarray(Z), jnp.asarray(Y)) for p in ("float64", "as trained"))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert other.dtype == jnp.float32 and not np.array_equal(one, other)

"""The harmonic head: probabilities are powers of distances."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.errors import SpecError
from anglewise.lab.methods.baek2025_harmonic import EPSILON, DistanceHead, Harmonic
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular

DRAW = np.random.default_rng(0)
H, W = DRAW.normal(size=(9, 5)), DRAW.normal(size=(5, 4))


@pytest.mark.parametrize("n", [1, 2, 6])
def test_the_softmax_of_the_logits_is_a_power_of_the_distance(n):
    with jax.enable_x64(True):
        p = jax.nn.softmax(DistanceHead(jnp.asarray(W), n)(jnp.asarray(H)))
    for h, got in zip(H, np.asarray(p), strict=True):
        want = np.array([(np.sum((h - w) ** 2) + EPSILON) ** (-n / 2) for w in W.T])
        np.testing.assert_allclose(got, want / want.sum(), rtol=1e-10)


def test_exponent_2_is_the_released_layer():
    x, w = torch.tensor(H), torch.tensor(W.T)
    square = (torch.norm(w, dim=-1) ** 2)[None] + (torch.norm(x, dim=-1) ** 2)[:, None] - 2 * x @ w.T + 1e-4
    released = (square / torch.min(square, dim=-1, keepdim=True)[0]) ** -1.0
    with jax.enable_x64(True):
        p = jax.nn.softmax(DistanceHead(jnp.asarray(W), 2)(jnp.asarray(H)))
    np.testing.assert_allclose(p, released / released.sum(-1, keepdim=True), rtol=1e-10)


def test_scaling_everything_changes_almost_nothing():
    near, far = (jax.nn.softmax(DistanceHead(jnp.asarray(c * W), 2)(jnp.asarray(c * H))) for c in (10, 1000))
    np.testing.assert_allclose(near, far, rtol=1e-3)
    assert np.abs(jax.nn.softmax(10 * H @ W) - jax.nn.softmax(1000 * H @ W)).max() > 0.1  # control: a linear head


def test_on_a_class_point_value_and_gradient_are_finite():
    h = jnp.asarray(W.T, jnp.float32)
    value, pull = jax.value_and_grad(lambda h: jnp.sum(DistanceHead(jnp.asarray(W, jnp.float32), 2)(h)))(h)
    assert np.isfinite(value) and np.isfinite(pull).all()


def test_the_head_is_replaced_and_keeps_its_weight():
    network = MLP(hidden=(8,), bias=True).init(Modular(p=7), jax.random.key(0))
    shaped = Harmonic(4).reshape(network)
    assert shaped.head.weight is network.head.weight and shaped.head.bias is None
    assert shaped.roles.head.weight == "head"
    inputs = jnp.asarray(Modular(p=7).table()[0])
    logits, activations = shaped(inputs)
    np.testing.assert_array_equal(logits, shaped.head(activations["hidden.0.post"]))
    assert not np.allclose(logits, network(inputs)[0])  # control


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(SpecError, match="Harmonic.exponent must lie in .1, 1000., got 0"):
        Harmonic(0)
    tied = Transformer(layers=1, width=8, heads=2, tied=True).init(Modular(p=7, form="a b ="), jax.random.key(0))
    with pytest.raises(SpecError, match="harmonic got a Transformer with a tied head, expected a head of its own"):
        Harmonic().reshape(tied)

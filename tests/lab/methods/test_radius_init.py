"""First weights on the sphere: the mean radius at every site, and nothing else moves."""

from __future__ import annotations

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.radius_init import RadiusInit
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular

TASK, SEQUENCES = Modular(p=11, train=0.5), Modular(p=11, train=0.5, form="a b =")
DATA, KEY = TASK.split(jax.random.key(0)), jax.random.key(1)
MLPS = {
    "one-hot": MLP(hidden=(16, 12)),
    "one-hot, biases": MLP(hidden=(16, 12, 8), bias=True),
    "embedding": MLP(hidden=(16, 12), embedding=5),
    "embedding, biases": MLP(hidden=(16,), embedding=5, bias=True, shared=False),
}
TRANSFORMERS = {
    f"{norm}, {positions}": Transformer(layers=layers, width=8, heads=2, mlp=16, norm=norm, positions=positions)
    for norm, positions, layers in (("none", "last", 1), ("pre", "all", 2), ("post", "all", 1), ("grokfast", "last", 1))
}
"""One has a second block; in one block, too, a sub-layer is scaled behind another that was."""


compiled = functools.lru_cache(eqx.filter_jit)
"""A function as one program: operation by operation, each would be compiled by itself."""


def drawn(model, task=TASK):
    """A network of known weights."""
    return compiled(model.init)(task, KEY)


def pair(model, method, task=TASK):
    """A network before and after, and the examples."""
    network = drawn(model, task)
    data = task.split(jax.random.key(0))
    return network, compiled(method.init)(method.reshape(network), jax.random.key(2), data=data), data.train_inputs


@compiled
def activations(network, inputs):
    return network(inputs)[1]


def radii(network, inputs, sites):
    """Mean radius in units of sqrt(d), in float64."""
    at_sites = activations(network, inputs)
    found = {site: np.asarray(at_sites[site], np.float64) for site in sites}
    return [float(np.mean(np.linalg.norm(h, axis=-1))) / np.sqrt(h.shape[-1]) for h in found.values()]


@pytest.mark.parametrize("name", MLPS)
@pytest.mark.parametrize("target", [1.0, 0.3])
def test_every_hidden_layer_starts_at_the_radius(name, target):
    model = MLPS[name]
    before, after, inputs = pair(model, RadiusInit(target))
    np.testing.assert_allclose(radii(after, inputs, model.sites), target, rtol=1e-5)
    assert all(abs(r - target) > 0.05 for r in radii(before, inputs, model.sites))  # control


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_every_sub_layer_of_a_transformer_starts_at_the_radius(name):
    model = TRANSFORMERS[name]
    _, after, inputs = pair(model, RadiusInit(1.5), SEQUENCES)
    np.testing.assert_allclose(radii(after, inputs, model.sites), 1.5, rtol=1e-5)


def slow(network, inputs, target):
    """Factor of every layer of a one-hot MLP with biases, in float64 and in the order of the forward pass."""
    x = np.zeros((len(inputs), 2 * TASK.p))
    for i, (a, b) in enumerate(np.asarray(inputs)):
        x[i, a] = x[i, TASK.p + b] = 1
    factors = []
    for layer in network.layers:
        h = x @ np.asarray(layer.weight, np.float64) + np.asarray(layer.bias, np.float64)
        factors.append(target * np.sqrt(h.shape[1]) / np.mean([np.sqrt(np.sum(row**2)) for row in h]))
        x = np.maximum(factors[-1] * h, 0)
    return factors


def test_weight_and_bias_of_a_layer_have_one_factor_layer_by_layer():
    before, after, inputs = pair(MLPS["one-hot, biases"], RadiusInit(0.7))
    for old, new, factor in zip(before.layers, after.layers, slow(before, inputs, 0.7), strict=True):
        np.testing.assert_allclose(new.weight, factor * np.asarray(old.weight), rtol=1e-5)
        np.testing.assert_allclose(new.bias, factor * np.asarray(old.bias), rtol=1e-5)


def test_nothing_but_the_layers_of_the_sites_moves():
    before, after, _ = pair(MLPS["embedding"], RadiusInit())
    assert np.array_equal(before.embedding, after.embedding) and np.array_equal(before.head.weight, after.head.weight)
    before, after, _ = pair(TRANSFORMERS["pre, all"], RadiusInit(), SEQUENCES)
    for old, new in zip(before.blocks, after.blocks, strict=True):
        assert np.array_equal(old.qkv.weight, new.qkv.weight) and np.array_equal(old.up.weight, new.up.weight)
        assert not np.array_equal(old.out.weight, new.out.weight)
        assert not np.array_equal(old.down.weight, new.down.weight)


def test_directions_stay():
    """ReLU commutes with a positive factor, so without biases every activation keeps its direction."""
    model = MLPS["one-hot"]
    before, after, inputs = pair(model, RadiusInit(3.0))
    for site in model.sites:
        old, new = (np.asarray(activations(net, inputs)[site], np.float64) for net in (before, after))
        np.testing.assert_allclose(
            new / np.linalg.norm(new, axis=1, keepdims=True),
            old / np.linalg.norm(old, axis=1, keepdims=True),
            atol=1e-5,
        )


def test_the_random_stream_is_not_touched():
    network = drawn(MLPS["one-hot"])
    one, other = (compiled(RadiusInit().init)(network, jax.random.key(k), data=DATA) for k in (3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def test_the_mean_is_over_the_first_examples_alone():
    model = MLPS["one-hot"]
    _, after, inputs = pair(model, RadiusInit(rows=7))
    np.testing.assert_allclose(radii(after, inputs[:7], model.sites), 1.0, rtol=1e-5)
    assert any(abs(r - 1) > 1e-3 for r in radii(after, inputs, model.sites))


def test_weights_of_zero_stay_zero():
    network = jax.tree.map(jnp.zeros_like, drawn(MLPS["one-hot, biases"]))
    after = compiled(RadiusInit().init)(network, KEY, data=DATA)
    assert all(not np.asarray(w).any() for w in jax.tree.leaves(after))


class Bare:
    """A network without linear maps."""

    linear_maps = {}  # noqa: RUF012


def test_a_network_without_linear_maps_is_refused():
    with pytest.raises(SpecError, match="radius-init scales linear maps, which .* does not declare"):
        RadiusInit().reshape(Bare())

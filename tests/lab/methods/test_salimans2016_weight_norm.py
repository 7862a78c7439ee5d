from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.lab.methods.salimans2016_weight_norm import NAME, WeightNorm
from tests.support.weights import PERCEPTRON, TRANSFORMER, drawn_network

pytestmark = pytest.mark.usefixtures("double")


def started(method, model=PERCEPTRON):
    params = drawn_network(model)
    return method.init(method.reshape(params), jax.random.key(0))


@pytest.mark.parametrize("model", [PERCEPTRON, TRANSFORMER], ids=["mlp", "transformer"])
def test_the_first_function_is_the_same(model):
    params, method = drawn_network(model), WeightNorm()
    found = method.weights(started(method, model))
    names = jax.tree.leaves(params)
    for x, y in zip(jax.tree.leaves(eqx.tree_at(lambda p: p.extra, found, {})), names, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-14)


def test_value_and_gradients_are_those_of_torch():
    method, probe = WeightNorm(), np.random.default_rng(5).standard_normal((6, 5))
    params = started(method)
    params = eqx.tree_at(lambda p: p.extra[NAME]["layers.1.weight"], params, replace_fn=lambda s: 1.3 * s)
    loss = lambda p: jnp.sum(jnp.asarray(probe) * method.weights(p).layers[1].weight ** 2)  # noqa: E731
    value, gradient = jax.value_and_grad(loss)(params)
    layer = torch.nn.Linear(6, 5, bias=False).double()
    torch.nn.utils.parametrizations.weight_norm(layer)
    s, v = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    with torch.no_grad():
        s.copy_(torch.tensor(np.array(params.extra[NAME]["layers.1.weight"]).T))
        v.copy_(torch.tensor(np.array(params.layers[1].weight).T))
    theirs = (torch.tensor(probe) * layer.weight.T**2).sum()
    theirs.backward()
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-12)
    np.testing.assert_allclose(gradient.layers[1].weight, v.grad.numpy().T, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gradient.extra[NAME]["layers.1.weight"], s.grad.numpy().T, rtol=1e-9)


def test_every_unit_has_a_length_of_its_own_and_tables_and_vectors_none():
    params = started(WeightNorm())
    lengths = params.extra[NAME]
    assert {name: s.shape for name, s in lengths.items()} == {
        "layers.0.weight": (1, 6),
        "layers.1.weight": (1, 5),
        "head.weight": (1, 5),
    }
    assert set(jax.tree.leaves(params.roles.extra)) == {"extra"}
    assert "head.weight" not in started(WeightNorm(head=False)).extra[NAME]


def test_fixed_lengths_are_a_sphere_and_attach_nothing():
    method = WeightNorm(1.3, scale="fixed", head=False)
    params = started(method)
    found = method.weights(params)
    assert params.extra == {}
    np.testing.assert_allclose(np.linalg.norm(found.layers[0].weight, axis=0), 1.3, rtol=1e-12)
    assert found.head.weight is params.head.weight
    assert method.weights(found).layers[0].weight == pytest.approx(found.layers[0].weight)


def test_a_unit_without_weights_is_safe():
    method = WeightNorm()
    params = drawn_network()
    params = eqx.tree_at(lambda p: p.layers[1].weight, params, replace_fn=lambda w: w.at[:, 2].set(0.0))
    params = method.init(method.reshape(params), jax.random.key(0))
    gradient = jax.grad(lambda p: jnp.sum(method.weights(p).layers[1].weight))(params)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))
    assert not method.weights(params).layers[1].weight[:, 2].any()

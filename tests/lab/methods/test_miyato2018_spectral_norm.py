from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.errors import SpecError
from anglewise.lab.methods.miyato2018_spectral_norm import SpectralNorm
from tests.support.weights import TRANSFORMER, drawn_network

pytestmark = pytest.mark.usefixtures("double")


def spread(params):
    """The same network with matrices whose first singular value stands out, so that few iterations are exact."""
    return jax.tree.map(lambda w: w + 3.0 if w.ndim > 1 else w, params)


def values(W):
    return np.linalg.svd(np.asarray(W), compute_uv=False)


def test_every_hidden_matrix_has_the_wanted_norm_and_the_rest_stays():
    params = spread(drawn_network(TRANSFORMER))
    found = SpectralNorm(1.5, iterations=20).weights(params)
    block, before = found.blocks[0], params.blocks[0]
    for W in (*np.split(np.asarray(block.qkv.weight), 3, axis=1), block.out.weight, block.up.weight, block.down.weight):
        np.testing.assert_allclose(values(W)[0], 1.5, rtol=1e-6)
    np.testing.assert_allclose(block.up.weight / before.up.weight, 1.5 / values(before.up.weight)[0], rtol=1e-6)
    assert found.head.weight is params.head.weight and found.embedding is params.embedding
    both = SpectralNorm(1.5, iterations=20, head=True).weights(params)
    np.testing.assert_allclose(values(both.head.weight)[0], 1.5, rtol=1e-6)


def test_a_cap_leaves_smaller_matrices_alone_to_the_bit():
    params = spread(drawn_network())
    small = eqx.tree_at(lambda p: p.layers[1].weight, params, replace_fn=lambda W: 0.1 * W / values(W)[0])
    found = SpectralNorm(1.0, "cap", iterations=20).weights(small)
    assert np.array_equal(found.layers[1].weight, small.layers[1].weight)
    np.testing.assert_allclose(values(found.layers[0].weight)[0], 1.0, rtol=1e-6)


def test_value_and_gradient_are_those_of_torch():
    """PyTorch's own spectral_norm, brought to the same singular vectors by many iterations."""
    params = spread(drawn_network())
    W, probe = np.asarray(params.layers[0].weight), np.random.default_rng(5).standard_normal((6, 6))

    def loss(weight):
        moved = eqx.tree_at(lambda p: p.layers[0].weight, params, weight)
        return jnp.sum(jnp.asarray(probe) * SpectralNorm(iterations=20).weights(moved).layers[0].weight ** 2)

    value, gradient = jax.jit(jax.value_and_grad(loss))(jnp.asarray(W))
    layer = torch.nn.Linear(6, 6, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(W.T.copy()))
    torch.nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=100)
    theirs = (torch.tensor(probe) * layer.weight.T**2).sum()
    theirs.backward()
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-8)
    expected = layer.parametrizations.weight.original.grad.numpy().T
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-9)


def test_the_gradient_does_not_stretch_a_matrix():
    params = spread(drawn_network())

    def loss(params):
        return jnp.sum(jnp.sin(SpectralNorm(iterations=20).weights(params).layers[0].weight))

    gradient = jax.jit(jax.grad(loss))(params).layers[0].weight
    assert abs(np.sum(gradient * params.layers[0].weight)) < 1e-8 * np.linalg.norm(gradient)
    assert np.linalg.norm(gradient) > 0.01


def test_a_matrix_of_zeros_is_safe():
    zero = jax.tree.map(jnp.zeros_like, drawn_network())
    gradient = jax.grad(lambda p: jnp.sum(SpectralNorm().weights(p).layers[0].weight))(zero)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))


def test_no_iterations_are_refused():
    with pytest.raises(SpecError, match="SpectralNorm.iterations must lie in .1, 1000., got 0"):
        SpectralNorm(iterations=0)

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.notsawo2025_sparsity import L1, Nuclear, _Sparsity
from tests.support.weights import TRANSFORMER, drawn_network

pytestmark = pytest.mark.usefixtures("double")


def matrices(params):
    pairs = zip(jax.tree.leaves(params), jax.tree.leaves(params.roles), strict=True)
    return [np.asarray(w) for w, role in pairs if role != "vector"]


def values(W):
    return np.linalg.svd(W, compute_uv=False)


def test_the_l1_penalty_and_its_gradient():
    params = drawn_network()
    value, gradient = jax.value_and_grad(lambda p: L1(0.3).penalty({}, p))(params)
    np.testing.assert_allclose(value, 0.3 * sum(np.abs(w).sum() for w in jax.tree.leaves(params)), rtol=1e-12)
    for g, w in zip(jax.tree.leaves(gradient), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(g, 0.3 * np.sign(w), rtol=1e-12)
    fewer = L1(0.3, roles=("hidden",)).penalty({}, params)
    np.testing.assert_allclose(fewer, 0.3 * sum(np.abs(layer.weight).sum() for layer in params.layers), rtol=1e-12)


def test_the_l1_step_is_a_soft_threshold():
    params = drawn_network()
    found = L1(2.0, lr=0.1, form="proximal").project(params)
    for x, w in zip(jax.tree.leaves(found), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(x, np.sign(w) * np.maximum(np.abs(w) - 0.2, 0), atol=1e-15)
    assert sum((np.asarray(x) == 0).sum() for x in jax.tree.leaves(found)) > 0


def test_the_nuclear_penalty_and_its_gradient():
    params = drawn_network()
    value, gradient = jax.value_and_grad(lambda p: Nuclear(0.3).penalty({}, p))(params)
    np.testing.assert_allclose(value, 0.3 * sum(values(W).sum() for W in matrices(params)), rtol=1e-12)
    U, _, Vt = np.linalg.svd(params.layers[1].weight, full_matrices=False)
    np.testing.assert_allclose(gradient.layers[1].weight, 0.3 * U @ Vt, atol=1e-12)
    assert not gradient.layers[1].bias.any()


def test_the_nuclear_step_takes_as_much_off_every_singular_value():
    params = drawn_network()
    found = Nuclear(5.0, lr=0.1, form="proximal").project(params)
    for X, W in zip(matrices(found), matrices(params), strict=True):
        np.testing.assert_allclose(values(X), np.maximum(values(W) - 0.5, 0), atol=1e-12)
    assert np.array_equal(found.layers[0].bias, params.layers[0].bias)


def test_a_transformers_qkv_is_three_matrices():
    params = drawn_network(TRANSFORMER)
    parts = np.split(np.asarray(params.blocks[0].qkv.weight), 3, axis=1)
    others = [W for W in matrices(params) if W.shape != (4, 12)]
    wanted = sum(values(W).sum() for W in (*parts, *others))
    np.testing.assert_allclose(Nuclear(1.0).penalty({}, params), wanted, rtol=1e-12)


@pytest.mark.parametrize("cls", [L1, Nuclear])
def test_at_zero_and_at_strength_0_all_is_well(cls):
    zero = jax.tree.map(jnp.zeros_like, drawn_network())
    value, gradient = jax.value_and_grad(lambda p: cls(1.0).penalty({}, p))(zero)
    assert value == 0 and not any(np.asarray(g).any() for g in jax.tree.leaves(gradient))
    for x, y in zip(
        *map(jax.tree.leaves, (cls(0.0, form="proximal").project(drawn_network()), drawn_network())), strict=True
    ):
        assert np.array_equal(x, y)


@pytest.mark.parametrize("cls", [L1, Nuclear])
def test_one_form_fills_one_place(cls):
    assert cls(form="penalty").project is None and cls(form="penalty").penalty is not None
    assert cls(form="proximal").penalty is None and cls(form="proximal").project is not None


def test_equal_singular_values_are_safe():
    params = eqx.tree_at(lambda p: p.layers[0].weight, drawn_network(), 2.0 * jnp.eye(6))
    gradient = jax.grad(lambda p: Nuclear(1.0).penalty({}, p))(params).layers[0].weight
    np.testing.assert_allclose(gradient, np.eye(6), atol=1e-12)


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(SpecError, match="roles must be of matrices .*, got vector"):
        Nuclear(roles=("vector",))
    with pytest.raises(TypeError, match="_Sparsity has no norm: define norm"):
        _Sparsity().norm(None)
    with pytest.raises(TypeError, match="_Sparsity has no proximal step: define shrunk"):
        _Sparsity().shrunk(None, 0.1)

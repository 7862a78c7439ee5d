from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.pasand2025_egd import COLUMN, EGD
from anglewise.lab.methods.pasand2025_egd import TRANSFORMER as RELEASED
from tests.support.weights import TRANSFORMER, drawn_network

pytestmark = pytest.mark.usefixtures("double")


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def filtered(method, gradient):
    transform = method.transform()
    return jax.jit(transform.update)(gradient, transform.init(gradient), gradient)[0]


@pytest.mark.parametrize("shape", [(6, 4), (4, 6)])
def test_it_is_the_released_preconditioner(shape):
    G = drawn(*shape)
    U, s, _ = np.linalg.svd(G, full_matrices=False)
    np.testing.assert_allclose(EGD().equalised(G), (U / np.maximum(s, 1e-6)) @ U.T @ G, atol=1e-12)
    norms = np.maximum(np.linalg.norm(G, axis=0), 0.01)
    np.testing.assert_allclose(COLUMN.equalised(G), G / norms, atol=1e-12)


def by_qr(G, rank, seed_matrix):
    """The released randomised SVD with its two power iterations."""
    Q = seed_matrix
    for _ in range(2):
        Q = np.linalg.qr(G @ Q)[0]
        Q = np.linalg.qr(G.T @ Q)[0]
    U, s, _ = np.linalg.svd(G @ Q, full_matrices=False)
    return (U / np.maximum(s, 1e-6)) @ U.T @ G


def test_the_randomised_one_is_the_released_one_and_exact_where_the_rank_suffices():
    G = drawn(8, 6)
    draws = np.asarray(jax.random.normal(jax.random.key(0), (6, 3), jnp.float64))
    np.testing.assert_allclose(EGD(kind="rsvd", rank=3).equalised(G), by_qr(G, 3, draws), atol=1e-10)
    np.testing.assert_allclose(EGD(kind="rsvd", rank=50).equalised(G), EGD().equalised(G), atol=1e-10)
    low = drawn(8, 2) @ drawn(2, 6, seed=1)
    np.testing.assert_allclose(EGD(kind="rsvd", rank=2).equalised(low), EGD().equalised(low), atol=1e-8)
    assert np.linalg.matrix_rank(EGD(kind="rsvd", rank=3).equalised(G)) == 3


@pytest.mark.parametrize("method", [EGD(), EGD(kind="rsvd", rank=2), COLUMN])
def test_no_gradient_stays_none(method):
    assert not np.asarray(method.equalised(jnp.zeros((4, 3)))).any()
    some = jnp.zeros((4, 3)).at[:, 1].set(2.0)
    assert np.isfinite(method.equalised(some)).all()
    np.testing.assert_allclose(np.linalg.norm(method.equalised(some)), 1, rtol=1e-12)


def test_strength_mixes_and_vectors_and_tables_pass():
    gradient = drawn_network()
    half, off = filtered(EGD(0.5), gradient), filtered(EGD(0.0), gradient)
    for x, y in zip(jax.tree.leaves(off), jax.tree.leaves(gradient), strict=True):
        assert np.array_equal(x, y)
    W = gradient.layers[1].weight
    np.testing.assert_allclose(half.layers[1].weight, 0.5 * W + 0.5 * EGD().equalised(W), rtol=1e-12)
    assert np.array_equal(half.layers[1].bias, gradient.layers[1].bias)
    assert np.array_equal(half.embedding, gradient.embedding)
    assert np.array_equal(half.head.weight, gradient.head.weight)
    every = filtered(EGD(roles=("embedding", "hidden", "head")), gradient)
    np.testing.assert_allclose(np.linalg.svd(every.embedding, compute_uv=False), 1, atol=1e-12)
    np.testing.assert_allclose(np.linalg.svd(every.head.weight, compute_uv=False), 1, atol=1e-12)


def test_of_a_transformer_the_released_code_treats_the_mlp_alone():
    gradient = drawn_network(TRANSFORMER)
    found, before = filtered(RELEASED, gradient).blocks[0], gradient.blocks[0]
    np.testing.assert_allclose(np.linalg.svd(found.up.weight, compute_uv=False), 1, atol=1e-12)
    np.testing.assert_allclose(np.linalg.svd(found.down.weight, compute_uv=False), 1, atol=1e-12)
    assert np.array_equal(found.qkv.weight, before.qkv.weight) and np.array_equal(found.out.weight, before.out.weight)


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(SpecError, match="rank must be at least 1, got 0"):
        EGD(kind="rsvd", rank=0)
    with pytest.raises(SpecError, match="roles must be of matrices .*, got vector"):
        EGD(roles=("hidden", "vector"))

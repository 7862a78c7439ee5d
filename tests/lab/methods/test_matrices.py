from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods import matrices
from anglewise.lab.methods.matrices import (
    joined,
    length,
    msign_svd,
    newton_schulz,
    on_matrices,
    parted,
    spectral_norm,
    start_vector,
    unit_axis,
    unit_lengths,
)
from tests.support.weights import TRANSFORMER, drawn_network

pytestmark = pytest.mark.usefixtures("double")


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (2, 5, 3)])
def test_msign_has_the_singular_vectors_and_no_values(shape):
    G = drawn(*shape)
    M = np.asarray(msign_svd(G))
    U, _, Vt = np.linalg.svd(G, full_matrices=False)
    np.testing.assert_allclose(M, U @ Vt, atol=1e-12)
    np.testing.assert_allclose(np.linalg.svd(M, compute_uv=False), 1, atol=1e-12)


def test_msign_of_nothing_is_nothing_and_what_is_missing_stays_missing():
    assert not msign_svd(jnp.zeros((3, 4))).any()
    one = np.outer(drawn(4), drawn(3, seed=1))
    np.testing.assert_allclose(msign_svd(one), one / np.linalg.norm(one), atol=1e-12)
    np.testing.assert_allclose(msign_svd(2.5 * np.eye(3)), np.eye(3), atol=1e-12)  # repeated singular values


def test_below_its_floor_a_singular_value_counts_in_proportion():
    found = msign_svd(np.diag([2.0, 0.1]), floor=0.4)
    np.testing.assert_allclose(found, np.diag([1.0, 0.25]), atol=1e-12)


def released(G, steps):
    """The quintic of KellerJordan/Muon, in float64 and with loops of the obvious kind."""
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G.T if G.shape[0] > G.shape[1] else G
    X = X / (np.linalg.norm(X) + 1e-7)
    for _ in range(steps):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return X.T if G.shape[0] > G.shape[1] else X


@pytest.mark.parametrize("shape", [(5, 3), (3, 5)])
def test_newton_schulz_is_the_released_iteration(shape):
    G = drawn(*shape)
    for steps in (1, 5):
        np.testing.assert_allclose(newton_schulz(G, steps), released(G, steps), atol=1e-12)
    both = newton_schulz(np.stack([G, 3 * G]))
    np.testing.assert_allclose(both[1], released(3 * G, 5), atol=1e-12)
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)  # the size of G does not matter
    assert not newton_schulz(jnp.zeros(shape)).any()


def test_newton_schulz_is_near_msign_and_not_equal_to_it():
    values = np.linalg.svd(np.asarray(newton_schulz(drawn(6, 4))), compute_uv=False)
    assert 0.4 < values.min() < values.max() < 1.6
    assert np.abs(values - 1).max() > 1e-3


def test_power_iteration_finds_the_spectral_norm_from_below_and_can_go_on():
    W = jnp.asarray(1.0 + drawn(2, 6, 4))
    exact = np.linalg.svd(W, compute_uv=False)[:, 0]
    once, found, v = jax.jit(spectral_norm, static_argnums=2), [], start_vector(4, W.dtype)
    for _ in range(30):
        sigma, v = once(W, v, 1)
        found.append(np.asarray(sigma)[:, 0, 0])
    assert (np.diff(found, axis=0) > -1e-12).all() and (found[0] < exact).all()
    np.testing.assert_allclose(found[-1], exact, rtol=1e-8)
    np.testing.assert_allclose(once(W, start_vector(4, W.dtype), 30)[0][:, 0, 0], exact, rtol=1e-8)


def test_the_gradient_of_the_spectral_norm_is_the_leading_pair():
    W = jnp.asarray(2.0 + drawn(5, 4))
    gradient = jax.jit(jax.grad(lambda W: spectral_norm(W, start_vector(4, W.dtype), 20)[0].sum()))(W)
    U, _, Vt = np.linalg.svd(W)
    np.testing.assert_allclose(gradient, np.outer(U[:, 0], Vt[0]), atol=1e-8)
    assert not np.isnan(jax.grad(lambda W: spectral_norm(W, start_vector(4), 2)[0].sum())(0 * W)).any()


def test_a_length_of_zero_has_gradient_zero():
    assert not jax.grad(lambda w: length(w, 0).sum())(jnp.zeros((3, 2))).any()
    np.testing.assert_allclose(length(jnp.array([3.0, 4.0])), [5.0])


def test_a_unit_is_a_column_and_a_token_a_row():
    w = drawn(4, 3)
    np.testing.assert_allclose(unit_lengths(w, "hidden")[0], np.linalg.norm(w, axis=0))
    np.testing.assert_allclose(unit_lengths(w, "embedding")[:, 0], np.linalg.norm(w, axis=1))
    np.testing.assert_allclose(unit_lengths(w[0], "vector"), [np.linalg.norm(w[0])])
    with pytest.raises(SpecError, match="unknown role 'extra'.*Known: embedding, head, hidden, vector"):
        unit_axis("extra")


def test_qkv_is_three_matrices_and_comes_back_whole():
    w = drawn(4, 12)
    parts = parted(w, 3)
    assert np.array_equal(parts[1], w[:, 4:8])
    assert np.array_equal(joined(parts, 3), w)
    assert parted(w, 1) is w


def test_only_the_asked_matrices_are_touched():
    params = drawn_network(TRANSFORMER)
    found = on_matrices(lambda w: 0 * w, ("hidden",), params, only=("qkv", "up"))
    block, before = found.blocks[0], params.blocks[0]
    assert not block.qkv.weight.any() and not block.up.weight.any()
    for x, y in ((block.out, before.out), (block.down, before.down), (found.head, params.head)):
        assert x.weight is y.weight
    assert block.qkv.bias is before.qkv.bias and found.embedding is params.embedding
    assert matrices.MATRICES == ("embedding", "hidden", "head")

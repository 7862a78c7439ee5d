import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.sharpness import FilterSharpness, filter_direction
from tests.support.programs import quick_jit
from tests.support.readings import BASE, PAIRS, looking
from tests.support.readings.curvature import ROWS, dense, measured

SHARPNESS = FilterSharpness(rows=ROWS, directions=300, eps=0.1)


def test_a_direction_has_the_weights_own_length_filter_by_filter():
    exact = dense("mlp")
    with jax.enable_x64(True):
        d = filter_direction(exact.params, jax.random.key(0))
    for w, x in zip(jax.tree.leaves(exact.params), jax.tree.leaves(d), strict=True):
        assert x.shape == w.shape
        if w.ndim == 1:
            assert not np.any(x)  # biases do not move
        else:
            np.testing.assert_allclose(np.linalg.norm(x, axis=-2), np.linalg.norm(w, axis=-2))
            assert not np.allclose(x, w)


@pytest.mark.parametrize("of", ["task", "total"])
def test_the_curvature_is_the_trace_filter_by_filter(of):
    exact, suffix = dense("mlp", of), "" if of == "task" else "_total"
    found = measured(SHARPNESS, exact.at, exact.params)
    with jax.enable_x64(True):
        _, unravel = ravel_pytree(exact.params)
        diagonal = jax.tree.map(np.asarray, jax.tree.leaves(unravel(jnp.diag(jnp.asarray(exact.hessian)))))
    by_filter = [
        np.sum(h, axis=-2) * np.sum(np.square(w), axis=-2) / w.shape[-2]
        for h, w in zip(diagonal, map(np.asarray, jax.tree.leaves(exact.params)), strict=True)
        if w.ndim > 1
    ]
    expected = sum(np.sum(terms) for terms in by_filter)
    error = found["", "filter_curvature_se" + suffix]
    assert 0 < error < 0.1 * sum(np.sum(np.abs(terms)) for terms in by_filter)
    assert abs(found["", "filter_curvature" + suffix] - expected) < 4 * error


def test_the_rise_of_the_loss_is_what_moving_the_weights_gives():
    exact = dense("mlp")
    found = measured(dataclasses.replace(SHARPNESS, directions=3, eps=0.2), exact.at, exact.params)
    with jax.enable_x64(True):
        snapshot, rises = exact.at(exact.params), []
        for key in jax.random.split(snapshot.draw(2), 3):
            d = filter_direction(exact.params, key)
            moved = jax.tree.map(lambda w, x: w + 0.2 * x, exact.params, d)
            rises.append(float(snapshot.objective(moved, *snapshot.rows("train", ROWS))) - exact.loss)
    np.testing.assert_allclose(found["", "filter_sharpness"], np.mean(rises))
    np.testing.assert_allclose(found["", "filter_sharpness_se"], np.std(rises, ddof=1) / np.sqrt(3))


def test_layers_may_be_rescaled_and_single_neurons_may_not():
    with jax.enable_x64(True):
        at, params = looking(MLP(hidden=(8, 6)), PAIRS, BASE)
        values = quick_jit(lambda p: dict(dataclasses.replace(SHARPNESS, directions=4).measure(at(p))))
        where = lambda p: (p.layers[0].weight, p.layers[1].weight)  # noqa: E731
        first, second = where(params)
        layers = eqx.tree_at(where, params, (3 * first, second / 3))
        each = jnp.asarray([1.0, 5.0] * 4)
        neurons = eqx.tree_at(where, params, (first * each, second / each[:, None]))
        old, new, other = jax.tree.map(np.asarray, (values(params), values(layers), values(neurons)))
    for name in ("filter_sharpness", "filter_curvature"):
        np.testing.assert_allclose(new["", name], old["", name], rtol=1e-9)
        assert abs(other["", name] / old["", name] - 1) > 1e-3


def test_a_network_of_zeros_has_no_filters_to_move():
    with jax.enable_x64(True):
        at, params = looking(MLP(hidden=(8, 6)), PAIRS, BASE)
        zeros = jax.tree.map(jnp.zeros_like, params)
    found = measured(dataclasses.replace(SHARPNESS, directions=4), at, zeros)
    assert found["", "filter_sharpness"] == found["", "filter_curvature"] == 0
    assert not any(name.endswith("_total") for _, name in found)

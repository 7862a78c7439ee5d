import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from anglewise.lab.methods.optimizers import SGD
from anglewise.lab.readings.edge import EdgeOfStability
from tests.support.programs import quick_jit
from tests.support.readings import BASE, CASES, looking
from tests.support.readings.curvature import PENALISED, ROWS, dense, measured

EDGE = EdgeOfStability(rows=ROWS, lanczos=100)


def test_adams_edge_agrees_with_the_dense_preconditioned_hessian():
    exact = dense("mlp", "total")
    found = measured(EDGE, exact.at, exact.params)
    with jax.enable_x64(True):
        edge = exact.at(exact.params).edge
        p = np.asarray(ravel_pytree(edge.preconditioner)[0])
    assert p.min() < 0.1 * p.max()
    expected = np.max(np.linalg.eigvalsh(exact.hessian / np.sqrt(p[:, None] * p)))
    np.testing.assert_allclose(found["", "preconditioned_sharpness"], expected, rtol=1e-6)
    assert found["", "preconditioned_sharpness_error"] < 1e-5 * expected
    np.testing.assert_allclose(found["", "edge_threshold"], (2 + 2 * 0.9) / (0.1 * 0.02))
    np.testing.assert_allclose(found["", "edge_ratio"], expected / found["", "edge_threshold"], rtol=1e-6)


def test_without_a_preconditioner_it_is_the_largest_eigenvalue_itself():
    model, task = CASES["mlp"]
    exact = dense("mlp", "total")
    with jax.enable_x64(True):
        at, _ = looking(model, task, (SGD(lr=0.1, momentum=0.5), *PENALISED[1:]))
    found = measured(EDGE, at, exact.params)
    np.testing.assert_allclose(found["", "preconditioned_sharpness"], np.linalg.eigvalsh(exact.hessian)[-1], rtol=1e-6)
    np.testing.assert_allclose(found["", "edge_threshold"], 30)


def test_what_cannot_be_told_is_not_a_number_or_is_not_there():
    model, task = CASES["2-hot"]
    few = dataclasses.replace(EDGE, lanczos=3)
    with jax.enable_x64(True):
        at, params = looking(model, task, BASE)
        unknown = few.measure(dataclasses.replace(at(params), edge=None))
    first = measured(few, lambda p: dataclasses.replace(at(p), step=jnp.zeros((), jnp.int32)), params)
    assert np.isnan(first["", "preconditioned_sharpness"]) and np.isnan(first["", "edge_ratio"])
    assert np.isfinite(first["", "edge_threshold"])
    assert unknown == {}


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_descent_on_a_parabola_shrinks_below_the_edge_and_grows_above_it(momentum):
    method = SGD(lr=0.1, momentum=momentum)
    threshold = float(method.edge(None).threshold)
    transform = method.transform()

    @quick_jit
    def end(curvature):
        def step(carry, _):
            w, opt_state = carry
            update, opt_state = transform.update(curvature * w, opt_state, w)
            return (optax.apply_updates(w, update), opt_state), None

        return jax.lax.scan(step, (jnp.ones(()), transform.init(jnp.ones(()))), length=60)[0][0]

    assert abs(end(0.9 * threshold)) < 0.5 < 1e2 < abs(end(1.1 * threshold))

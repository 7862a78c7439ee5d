"""What the formula implies and the paper leaves to the reader: stiffness, largest pushes, ranks, 2-hot covariance."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.models.mlp import MLP
from anglewise.lab.tasks.modular import Modular
from anglewise.penalty import radial_penalty
from tests.support.programs import quick_jit


@pytest.mark.parametrize("radius", [0.5, 1.0, 3.0])
def test_its_stiffness_is_constant_along_the_ray_and_negative_across_it_inside_the_sphere(radius):
    r"""(2/d) [u u^T + (1 - sqrt d / r) (I - u u^T)]: a Mexican hat."""
    d = 9
    u = np.random.default_rng(0).normal(size=d)
    u /= np.linalg.norm(u)
    with jax.enable_x64(True):
        hessian = np.asarray(quick_jit(jax.hessian(lambda h: radial_penalty(h[None])))(jnp.asarray(radius * 3 * u)))
    across = 1 - 1 / radius
    np.testing.assert_allclose(hessian, 2 / d * (np.outer(u, u) + across * (np.eye(d) - np.outer(u, u))), atol=1e-14)
    assert np.sign(round(u @ hessian @ u, 9)) == 1 and np.linalg.eigvalsh(hessian)[0] == pytest.approx(
        2 / d * min(across, 1), abs=1e-12
    )


def test_the_outward_push_is_bounded_and_the_inward_pull_is_not():
    d = 16
    with jax.enable_x64(True):
        pull = quick_jit(jax.grad(lambda r: radial_penalty((r * jnp.eye(d)[0])[None])))
        near, far, further = (float(pull(jnp.asarray(r))) for r in (1e-9, 100.0, 200.0))
    assert near == pytest.approx(-2 / np.sqrt(d)) and further > 1.9 * far > 0


def test_first_layer_pre_activations_of_pairs_have_rank_2p_minus_1_at_most():
    p = 7
    task, model = Modular(p=p), MLP(hidden=(40,))
    with jax.enable_x64(True):
        network = jax.tree.map(lambda w: w.astype(jnp.float64), model.init(task, jax.random.key(0)))
        _, activations = quick_jit(lambda n, x: n(x))(network, task.table()[0])
        ranks = {site: np.linalg.matrix_rank(np.asarray(h)) for site, h in activations.items()}
    assert ranks["hidden.0.pre"] == 2 * p - 1 < ranks["hidden.0.post"]  # control: the ReLU lifts it


@pytest.mark.parametrize(("share", "low", "high"), [(0.5, 0.71, 1.28), (0.3, 0.49, 1.60)])
def test_a_random_half_of_2_hot_inputs_spreads_the_bulk_of_their_spectrum(share, low, high):
    """One draw at p = 97 gave these ends of the bulk, in units of 1/p; others differ by up to a tenth."""
    p = 97
    task = Modular(p=p, train=share)
    inputs = np.asarray(task.split(jax.random.key(0)).train_inputs)
    hot = np.concatenate([np.eye(p)[inputs[:, 0]], np.eye(p)[inputs[:, 1]]], axis=1)
    bulk = p * np.linalg.eigvalsh(hot.T @ hot / len(hot))[1:-1]
    assert bulk[0] == pytest.approx(low, abs=0.12) and bulk[-1] == pytest.approx(high, abs=0.2)
    assert bulk[0] < 0.9 and bulk[-1] > 1.1  # control: over all pairs it is 1 throughout

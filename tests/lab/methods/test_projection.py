"""Two projections with one forward pass: their radii, and what tells their gradients apart."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.ba2016_norms import RMSNorm
from anglewise.lab.methods.projection import ProjectSTE, ProjectTangential
from anglewise.lab.models.mlp import MLP
from anglewise.lab.tasks.modular import Modular

SITE = "hidden.0.pre"
DRAW = np.random.default_rng(0)
H = DRAW.normal(size=(9, 5)) * np.linspace(0.1, 4, 9)[:, None]
G = DRAW.normal(size=(9, 5))


def pulled(method, h=H, g=G):
    """Value, and the gradient with respect to h of <value, g>, in float64."""
    with jax.enable_x64(True):
        h, g = jnp.asarray(h, jnp.float64), jnp.asarray(g, jnp.float64)
        value, back = jax.vjp(lambda h: method.tap(None, SITE, h, None), h)
        return np.asarray(value), np.asarray(back(g)[0])


@pytest.mark.parametrize("kind", [ProjectTangential, ProjectSTE])
def test_every_vector_has_the_radius_and_its_direction(kind):
    y, _ = pulled(kind(0.7, (SITE,)))
    r = np.linalg.norm(H, axis=1, keepdims=True)
    np.testing.assert_allclose(y, 0.7 * np.sqrt(5) * H / r, rtol=1e-13)


def test_both_have_the_same_bits_forward():
    h = jnp.asarray(H, jnp.float32)
    one, other = (kind(0.7, (SITE,)).tap(None, SITE, h, None) for kind in (ProjectTangential, ProjectSTE))
    assert np.array_equal(one, other) and one.dtype == jnp.float32


def test_the_tangential_gradient_is_the_formula_and_has_no_radial_part():
    _, pull = pulled(ProjectTangential(0.7, (SITE,)))
    for h, g, got in zip(H, G, pull, strict=True):
        r = np.sqrt(h @ h)
        want = 0.7 * np.sqrt(5) / r * (np.eye(5) - np.outer(h, h) / r**2) @ g
        np.testing.assert_allclose(got, want, rtol=1e-11)
        assert abs(got @ h) < 1e-12


def test_the_straight_through_gradient_passes_in_full():
    _, pull = pulled(ProjectSTE(0.7, (SITE,)))
    np.testing.assert_array_equal(pull, G)
    assert np.abs(np.sum(pull * H, axis=1)).max() > 0.1  # control: its radial part is not 0


def test_the_tangential_one_is_an_rmsnorm_without_gains():
    for one, other in zip(
        pulled(ProjectTangential(1.0, (SITE,))), pulled(RMSNorm(0.0, affine=False, sites=(SITE,))), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


def test_a_step_along_the_tangential_gradient_lengthens():
    _, pull = pulled(ProjectTangential(1.0, (SITE,)))
    assert (np.linalg.norm(H - 0.1 * pull, axis=1) > np.linalg.norm(H, axis=1)).all()


@pytest.mark.parametrize("kind", [ProjectTangential, ProjectSTE])
def test_zeros_stay_zero_with_a_finite_gradient(kind):
    y, pull = pulled(kind(0.7, (SITE,)), h=np.zeros((9, 5)))
    assert (y == 0).all() and np.isfinite(pull).all()


@pytest.mark.parametrize("kind", [ProjectTangential, ProjectSTE])
def test_other_sites_are_left_alone_and_unknown_ones_refused(kind):
    assert kind(0.7, (SITE,)).tap(None, "hidden.1.pre", H, None) is H
    network = MLP(hidden=(8,)).init(Modular(p=7), jax.random.key(0))
    with pytest.raises(SpecError, match=r"unknown site to act at 'hidden\.1\.pre': did you mean"):
        kind(sites=("hidden.1.pre",)).reshape(network)

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.methods.foret2021_sam import PUBLISHED, SAM

SHAPES = {"a": (3, 2), "b": (4,)}


def field(seed):
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.standard_normal(shape), jnp.float32) for name, shape in SHAPES.items()}


def loss(params):
    return jnp.sum(params["a"] ** 4) + jnp.sum(jnp.sin(3 * params["b"])) + params["a"][0, 0] * params["b"][0] ** 2


def found(method, params, objective=loss):
    transform, gradient = method.transform(), jax.grad(objective)
    update = jax.jit(lambda w: transform.update(gradient(w), transform.init(w), w, gradient=gradient)[0])
    return update(params)


def flat(tree):
    return np.concatenate([np.asarray(x, np.float64).ravel() for x in jax.tree.leaves(tree)])


def by_hand(params, rho, adaptive=False):
    """In NumPy, but for the two gradients."""
    w, g = flat(params), flat(jax.grad(loss)(params))
    size = np.abs(w) + 0.01 if adaptive else np.ones_like(w)
    e = rho * size * size * g / np.linalg.norm(size * g)
    there = {"a": (w + e)[:6].reshape(3, 2), "b": (w + e)[6:]}
    return flat(jax.grad(loss)(jax.tree.map(jnp.asarray, there)))


@pytest.mark.parametrize("adaptive", [False, True])
def test_it_is_the_gradient_at_the_end_of_the_ascent(adaptive):
    params = field(0)
    with jax.enable_x64(True):
        params = jax.tree.map(lambda w: jnp.asarray(np.asarray(w), jnp.float64), params)
        ours = flat(found(SAM(0.3, adaptive), params))
        np.testing.assert_allclose(ours, by_hand(params, 0.3, adaptive), rtol=1e-10)
        assert not np.allclose(ours, by_hand(params, 0.3, not adaptive), rtol=1e-3)  # control
        assert not np.allclose(ours, flat(jax.grad(loss)(params)), rtol=1e-3)


def test_on_a_parabola_the_gradient_grows_by_curvature_times_rho():
    params = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([4.0])}
    ours = found(SAM(0.5), params, lambda p: sum(jnp.sum(w * w) for w in p.values()))
    np.testing.assert_allclose(flat(ours), 2 * np.array([3, 0, 4]) * (1 + 0.5 / 5), rtol=1e-6)


def test_the_length_of_the_ascent_is_rho_over_all_parameters():
    gradient, params = field(1), field(2)
    e = SAM(0.2).ascent(gradient, params)
    assert np.linalg.norm(flat(e)) == pytest.approx(0.2, rel=1e-5)
    assert np.linalg.norm(flat({"a": e["a"]})) < 0.19  # control: not tensor by tensor


def test_rho_0_is_the_plain_gradient_to_the_bit_even_where_the_ascent_fails():
    params = field(0)
    plain = jax.jit(jax.grad(loss))(params)
    assert all(np.array_equal(found(SAM(0.0), params)[name], plain[name]) for name in SHAPES)
    transform = SAM(0.0).transform()
    update, _ = transform.update(plain, (), params, gradient=lambda p: jax.tree.map(lambda w: w * jnp.nan, p))
    assert all(np.array_equal(update[name], plain[name]) for name in SHAPES)


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_gradient_of_0_has_no_direction_and_makes_no_nan(adaptive):
    ours = found(SAM(0.3, adaptive), field(0), lambda p: 0 * loss(p))
    assert np.array_equal(flat(ours), np.zeros(10))


def test_every_member_of_a_batch_has_its_own_norm_and_rho():
    members, rhos = [field(seed) for seed in range(3)], [0.0, 0.1, 0.4]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *members)
    one = jax.jit(lambda rho, params: found(SAM(rho), params))
    together = jax.vmap(one)(jnp.array(rhos), stacked)
    for i, (rho, params) in enumerate(zip(rhos, members, strict=True)):
        alone = one(rho, params)
        for name in SHAPES:
            np.testing.assert_allclose(together[name][i], alone[name], rtol=1e-5, atol=1e-6)


def test_the_published_rho_is_the_default():
    assert SAM() == PUBLISHED and SAM().rho == 0.05

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.readings.llc import CHAINS, LearningCoefficient, learning_coefficient
from tests.support.programs import quick_jit
from tests.support.readings import BASE, CASES, looking

KEY, N = jax.random.key(5), 1000
HEAT = N / math.log(N)


def estimate(loss, start, **kwargs):
    settings = {"n": N, "eps": 2e-3, "gamma": 1.0, "chains": 200, "steps": 1500, "burn": 500} | kwargs
    run = quick_jit(lambda w: learning_coefficient(lambda w, key: loss(w), w, KEY, **settings))
    return jax.tree.map(np.asarray, run(jnp.asarray(start)))


def quadratic(curvatures):
    h = jnp.asarray(curvatures)
    return lambda w: 0.5 * jnp.sum(h * w * w)


def test_chains_follow_the_dynamics_of_the_definition():
    h = np.array([1.0, 0.2, 0.0])
    with jax.enable_x64(True):
        found = estimate(quadratic(h), np.zeros(3), eps=0.01, gamma=2.0, chains=2, steps=6, burn=2)
        paths = []
        for chain in jax.random.split(KEY, 2):
            w, path = np.zeros(3), []
            for key in jax.random.split(chain, 6):
                path.append(HEAT * 0.5 * np.sum(h * w * w))
                noise = np.asarray(jax.random.normal(jax.random.split(key)[1], (3,)))
                w = w - 0.005 * (HEAT * h * w + 2.0 * w) + 0.1 * noise
            paths.append(path)
    np.testing.assert_allclose(found.path, np.mean(paths, axis=0))
    kept = np.array(paths)[:, 2:]
    np.testing.assert_allclose(found.value, kept.mean())
    np.testing.assert_allclose(found.error, kept.mean(axis=1).std(ddof=1) / np.sqrt(2))
    np.testing.assert_allclose(found.drift, kept[:, 2:].mean() - kept[:, :2].mean())
    assert found.negative == 0


@pytest.mark.parametrize("active", [1, 4, 8])
def test_a_regular_minimum_has_half_its_active_parameters(active):
    h = np.r_[np.full(active, 1.0), np.zeros(8 - active)]
    found = estimate(quadratic(h), np.zeros(8))
    a = HEAT * h + 1
    exact = 0.5 * np.sum(HEAT * h / (a * (1 - 2e-3 * a / 4)))
    assert abs(found.value - exact) < 4 * found.error
    np.testing.assert_allclose(found.value, active / 2, rtol=0.12)  # eps a / 4 is 7 %, the rest is chance


def test_curvatures_need_not_be_equal():
    found = estimate(quadratic([4.0, 1.0, 0.25, 0.0]), np.zeros(4), eps=5e-4, steps=4000, burn=1000)
    np.testing.assert_allclose(found.value, 1.5, rtol=0.08)


def test_a_quartic_valley_has_a_quarter():
    found = estimate(lambda w: jnp.sum(w**4), np.zeros(1), eps=1e-3, gamma=0.1, steps=6000, burn=1000)
    np.testing.assert_allclose(found.value, 0.25, atol=0.02)


def crossing(n, gamma):
    """The coefficient of (w1 w2)^2, with w2 integrated out by hand and w1 on a grid."""
    heat, x = n / math.log(n), np.geomspace(1e-12, 20, 20001)
    precision = 2 * heat * x**2 + gamma
    weight = np.exp(-gamma / 2 * x**2) / np.sqrt(precision) * x  # dx = x d ln x
    return np.sum(weight * heat * x**2 / precision) / np.sum(weight)


def test_crossing_valleys_have_a_half_less_a_logarithm_that_fades_slowly():
    exact = [crossing(n, 4.0) for n in (1e3, 1e6, 1e12, 1e20)]
    assert exact == sorted(exact) and 0.45 < exact[-1] < 0.5
    found = estimate(lambda w: jnp.square(w[0] * w[1]), np.zeros(2), eps=5e-4, gamma=4.0, steps=8000, burn=3000)
    np.testing.assert_allclose(found.value, exact[0], atol=0.03)


def test_fewer_directions_that_cost_give_a_smaller_coefficient():
    losses = [lambda w: jnp.sum(w**2), lambda w: w[0] ** 2 + w[1] ** 4, lambda w: w[0] ** 2, lambda w: w[0] ** 4]
    values = [estimate(loss, np.zeros(2), chains=100).value for loss in losses]
    assert values == sorted(values, reverse=True) and values[0] > 3 * values[-1]


def test_the_virial_tells_chains_that_have_settled_from_those_that_have_not():
    flat = quadratic(np.zeros(50))
    settled = estimate(flat, np.zeros(50), eps=0.4, gamma=1.0, steps=100, burn=50)
    np.testing.assert_allclose(settled.virial, 1 / (1 - 0.4 / 4), rtol=0.02)
    early = estimate(quadratic(np.full(50, 0.01)), np.zeros(50), eps=1e-3, steps=100, burn=50)
    assert early.virial < 0.5 and early.drift > 0.1 * early.value
    late = estimate(quadratic(np.full(50, 0.01)), np.zeros(50), eps=1e-1, steps=200, burn=100)
    assert abs(late.virial - 1) < 0.1 and abs(late.drift) < 0.05 * late.value
    coarse = estimate(quadratic(np.full(50, 1.0)), np.zeros(50), eps=0.02, steps=100, burn=50)
    assert coarse.virial > 2  # a step near the limit of stability


def test_weights_that_are_no_minimum_are_told_by_negative_draws():
    found = estimate(lambda w: jnp.sum(w), np.zeros(3), gamma=10.0)
    assert found.value < 0 and found.negative > 0.9


def test_minibatches_change_nothing_on_average():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(N, 4)))
    x = x @ jnp.linalg.inv(jnp.linalg.cholesky(x.T @ x / N)).T  # a Hessian of exactly 1

    def loss(w, key):
        rows = jax.random.randint(key, (100,), 0, N)
        return 0.5 * jnp.mean(jnp.square(x[rows] @ w))

    settings = {"n": N, "eps": 5e-4, "gamma": 1.0, "chains": 60, "steps": 1000, "burn": 300}
    found = quick_jit(lambda: learning_coefficient(loss, jnp.zeros(4), KEY, **settings))()
    np.testing.assert_allclose(found.value, 2, rtol=0.08)


def test_a_single_chain_has_no_standard_error():
    assert np.isnan(estimate(quadratic([1.0]), np.zeros(1), chains=1, steps=10, burn=2).error)


def test_the_reading_gives_the_function_on_the_task_loss():
    model, task = CASES["2-hot"]
    reading = LearningCoefficient(batch=0, chains=3, steps=8, burn=4, eps=1e-3, gamma=10.0)
    at, params = looking(model, task, BASE)

    def both(params):
        snapshot = at(params)
        inputs, labels = snapshot.rows("train", 0)
        settings = {"n": len(labels), "eps": 1e-3, "gamma": 10.0, "chains": 3, "steps": 8, "burn": 4}
        loss = lambda w, key: snapshot.objective(w, inputs, labels)  # noqa: E731
        return dict(reading.measure(snapshot)), learning_coefficient(loss, params, snapshot.draw(CHAINS), **settings)

    found, expected = quick_jit(both)(params)
    names = {"llc": "value", "llc_se": "error", "llc_path": "path"} | {
        f"llc_{name}": name for name in ("drift", "negative", "virial")
    }
    assert {("", name) for name in names} == set(found)
    for name, field in names.items():
        np.testing.assert_allclose(found["", name], getattr(expected, field), rtol=1e-4, atol=1e-5)
    assert found["", "llc_path"].shape == (8,)


def test_it_reads_a_transformer():
    model, task = CASES["transformer"]
    at, params = looking(model, task, BASE)
    found = quick_jit(lambda p: dict(LearningCoefficient(batch=4, chains=2, steps=4, burn=1).measure(at(p))))(params)
    assert all(np.isfinite(value).all() for value in found.values())


def test_it_reads_many_members_at_once_on_minibatches():
    model, task = CASES["2-hot"]
    reading = LearningCoefficient(batch=6, chains=2, steps=6, burn=2)
    at, params = looking(model, task, BASE)
    both = jax.tree.map(lambda w: jnp.stack([w, 2 * w]), params)
    found = quick_jit(jax.vmap(lambda p: dict(reading.measure(at(p)))))(both)
    alone = quick_jit(lambda p: dict(reading.measure(at(p))))(jax.tree.map(lambda w: 2 * w, params))
    for key, value in alone.items():
        np.testing.assert_allclose(found[key][1], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"burn": 119}, "llc needs burn of at most steps - 2, got burn=119, steps=120"),
        ({"burn": -1}, "LearningCoefficient.burn must be at least 0, got -1"),
        ({"chains": 0}, "LearningCoefficient.chains must lie in .1, 10000., got 0"),
    ],
)
def test_settings_that_keep_nothing_are_refused(wrong, message):
    with pytest.raises(SpecError, match=message):
        dataclasses.replace(LearningCoefficient(), **wrong)

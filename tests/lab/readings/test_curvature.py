import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.curvature import Curvature
from anglewise.lab.readings.hessian import hessian, largest, ritz, trace
from tests.support.programs import quick_jit
from tests.support.readings import BASE, CASES, PAIRS, looking
from tests.support.readings.curvature import PENALISED, ROWS, dense, measured, symmetric

CURVATURE = Curvature(rows=ROWS, probes=200, lanczos=70, starts=2, top=5, points=64)
QUICK = dataclasses.replace(CURVATURE, probes=400, lanczos=30, starts=1)


@pytest.mark.parametrize("case", ["mlp", "transformer"])
def test_every_value_agrees_with_the_dense_hessian_of_either_loss(case):
    exact = {of: dense(case, of) for of in ("task", "total")}
    found = measured(CURVATURE, exact["task"].at, exact["task"].params)
    assert not np.allclose(exact["task"].hessian, exact["total"].hessian)
    for of, suffix in (("task", ""), ("total", "_total")):
        one = exact[of]
        values, square = np.linalg.eigvalsh(one.hessian), np.sum(one.theta**2)
        network = {name: found["", name + suffix] for site, name in found if not site and ("", name + suffix) in found}
        np.testing.assert_allclose(network["hessian_loss"], one.loss)
        np.testing.assert_allclose(network["hessian_top"], values[-1], rtol=1e-6)
        np.testing.assert_allclose(network["hessian_second"], values[-2], rtol=1e-6)
        np.testing.assert_allclose(network["hessian_least"], values[0], rtol=1e-6)
        np.testing.assert_allclose(network["hessian_eigenvalues"], values[::-1][:5], rtol=1e-4)
        assert network["hessian_top_error"] < 1e-6 * values[-1]
        np.testing.assert_allclose(network["normalised_sharpness"], values[-1] * square, rtol=1e-6)
        off = one.hessian - np.diag(np.diag(one.hessian))
        np.testing.assert_allclose(network["hessian_trace_se"], np.sqrt(2 * np.sum(off**2) / 200), rtol=0.2)
        assert abs(network["hessian_trace"] - values.sum()) < 4 * network["hessian_trace_se"]
        np.testing.assert_allclose(
            network["normalised_trace"], network["hessian_trace"] * square / one.theta.size, rtol=1e-9
        )
        whole = layerwise = 0.0
        for name in dict.fromkeys(one.names):
            own = one.names == name
            block, size = one.hessian[np.ix_(own, own)], np.sum(own)
            got = found[name, "hessian_trace" + suffix]
            spread = np.sqrt(2 * np.sum(one.hessian[own] ** 2) / 200)  # that of a block is at most this
            assert abs(got - np.trace(block)) < 4 * spread + 1e-12
            norm = np.sum(one.theta[own] ** 2) / size
            np.testing.assert_allclose(found[name, "normalised_trace" + suffix], got * norm, rtol=1e-9)
            whole, layerwise = whole + got, layerwise + got * norm
        np.testing.assert_allclose(whole, network["hessian_trace"])
        np.testing.assert_allclose(layerwise, network["layerwise_normalised_trace"])
        grid, height = network["hessian_density"]
        np.testing.assert_allclose(np.trapezoid(height, grid), 1)


@pytest.fixture(scope="module")
def plain():
    """A bias-free ReLU network, and its values as a function of weights and labels."""
    with jax.enable_x64(True):
        at, params = looking(MLP(hidden=(8, 6)), PAIRS)

        def values(params, labels):
            snapshot = at(params)
            return dict(QUICK.measure(dataclasses.replace(snapshot, data=snapshot.data._replace(train_labels=labels))))

        compiled = quick_jit(values)
        predicted = jnp.argmax(at(params).forward("train", 0).logits, axis=-1).astype(jnp.int32)
        return lambda *args: jax.tree.map(np.asarray, compiled(*args)), params, predicted


def with_weights(params, *changes):
    where = lambda p: (p.layers[0].weight, p.layers[1].weight, p.head.weight)  # noqa: E731
    return eqx.tree_at(where, params, tuple(f(w) for f, w in zip(changes, where(params), strict=True)))


def same(w):
    return w


def test_saturation_flattens_a_perfect_fit_until_nothing_is_left(plain):
    values, params, predicted = plain
    with jax.enable_x64(True):
        traces = []
        for scale in (1.0, 100.0, 1e5):
            grown = with_weights(params, same, same, lambda w, s=scale: s * w)
            traces.append(float(values(grown, predicted)["layers.0.weight", "normalised_trace"]))
        wrong = values(with_weights(params, same, same, lambda w: 1e5 * w), (predicted + 1) % 5)
    assert traces[0] > 0.1
    assert abs(traces[2]) < 1e-9 * traces[0]
    assert wrong["", "hessian_loss"] > 1e3  # the control: as saturated, but not fitted


def test_no_measure_but_the_layerwise_one_survives_rescaling_of_layers(plain):
    values, params, predicted = plain
    with jax.enable_x64(True):
        other = with_weights(params, lambda w: 3 * w, lambda w: w / 3, same)
        at, _ = looking(MLP(hidden=(8, 6)), PAIRS)

        def traces(params):
            snapshot, (theta, unravel) = at(params), ravel_pytree(params)
            loss = lambda x: snapshot.objective(unravel(x), *snapshot.rows("train", ROWS))  # noqa: E731
            blocks = unravel(jnp.diag(jax.hessian(loss)(theta)))
            return jax.tree.map(lambda h, w: jnp.sum(h) * jnp.mean(w * w), blocks, params)

        compiled = quick_jit(traces)
        exact = [np.asarray(jax.tree.leaves(compiled(p))) for p in (params, other)]
        old, new = values(params, predicted), values(other, predicted)
    np.testing.assert_allclose(exact[1], exact[0], rtol=1e-9)
    np.testing.assert_allclose(new["", "hessian_loss"], old["", "hessian_loss"])
    np.testing.assert_allclose(new["", "layerwise_normalised_trace"], old["", "layerwise_normalised_trace"], rtol=0.05)
    for name in ("hessian_trace", "hessian_top", "normalised_trace", "normalised_sharpness"):
        assert abs(new["", name] / old["", name] - 1) > 0.2, name


def test_permuting_neurons_changes_nothing(plain):
    values, params, predicted = plain
    order = np.random.default_rng(0).permutation(8)
    with jax.enable_x64(True):
        old = values(params, predicted)
        new = values(with_weights(params, lambda w: w[:, order], lambda w: w[order], same), predicted)
    for name in ("hessian_loss", "hessian_top", "normalised_sharpness"):
        np.testing.assert_allclose(new["", name], old["", name], rtol=1e-6)
    spread = np.hypot(old["", "hessian_trace_se"], new["", "hessian_trace_se"])
    assert abs(new["", "hessian_trace"] - old["", "hessian_trace"]) < 4 * spread


def test_a_scale_free_loss_has_scale_free_normalised_measures():
    with jax.enable_x64(True):
        matrix, theta = symmetric(np.linspace(-1, 4, 9)), jnp.asarray(np.random.default_rng(2).normal(size=9))

        def measures(theta):
            product = hessian(lambda w: w @ matrix @ w / (w @ w), theta)
            spectrum = ritz(product, theta, jax.random.key(0), steps=9)
            return largest(spectrum)[0][0], jnp.mean(trace(product, theta, jax.random.key(1), probes=4).whole)

        small, large = (jax.tree.map(np.asarray, quick_jit(measures)(w)) for w in (theta, 5 * theta))
    for a, b in zip(small, large, strict=True):
        np.testing.assert_allclose(a, 25 * b, rtol=1e-8)


def test_a_huge_penalty_moves_the_total_curvature_and_not_the_tasks():
    model, task = CASES["2-hot"]
    found = {}
    with jax.enable_x64(True):
        for name, methods in (("none", BASE), ("some", PENALISED), ("huge", (*BASE, RadialPenalty(strength=1e4)))):
            at, params = looking(model, task, methods)
            found[name] = measured(dataclasses.replace(QUICK, probes=8), at, params)
    assert not any(name.endswith("_total") for _, name in found["none"])
    task_names = set(found["none"])
    assert {(site, name.removesuffix("_total")) for site, name in found["huge"]} == task_names
    for key in task_names:
        np.testing.assert_allclose(found["huge"][key], found["none"][key], rtol=1e-9, atol=1e-12)
    assert found["huge"]["", "hessian_top_total"] > 100 * found["huge"]["", "hessian_top"]
    assert found["huge"]["", "hessian_top_total"] > 100 * found["some"]["", "hessian_top_total"]


def test_it_reads_many_members_at_once():
    model, task = CASES["2-hot"]
    with jax.enable_x64(True):
        at, params = looking(model, task, BASE)
        few = dataclasses.replace(QUICK, probes=3, lanczos=8)
        both = jax.tree.map(lambda w: jnp.stack([w, 2 * w]), params)
        found = jax.tree.map(np.asarray, quick_jit(jax.vmap(lambda p: dict(few.measure(at(p)))))(both))
        alone = measured(few, at, jax.tree.map(lambda w: 2 * w, params))
    for key, value in alone.items():
        np.testing.assert_allclose(found[key][1], value, rtol=1e-6, atol=1e-9)


def test_a_single_probe_has_no_standard_error():
    model, task = CASES["2-hot"]
    with jax.enable_x64(True):
        at, params = looking(model, task, BASE)
    found = measured(dataclasses.replace(QUICK, probes=1, lanczos=3), at, params)
    assert np.isnan(found["", "hessian_trace_se"]) and np.isfinite(found["", "hessian_trace"])

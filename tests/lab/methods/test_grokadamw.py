from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from anglewise.lab.methods.grokadamw import GrokAdamW, momenta
from anglewise.lab.methods.optimizers import AdamW

SHAPES = {"a": (4, 3), "b": (5,), "c": (2, 2)}


def field(rng, scale=1.0):
    return {name: scale * rng.standard_normal(shape) for name, shape in SHAPES.items()}


def trained(method, params, gradients):
    transform = method.transform()
    params = jax.tree.map(jnp.asarray, params)
    opt_state = transform.init(params)
    for gradient in gradients:
        update, opt_state = transform.update(jax.tree.map(jnp.asarray, gradient), opt_state, params)
        params = optax.apply_updates(params, update)
    return params


def reference(params, gradients, *, lr, wd, b1, b2, eps, a0, lamb, gamma, k, signal, clip):
    """The released loop, tensor by tensor, in NumPy."""
    params = {name: w.copy() for name, w in params.items()}
    state = {name: [np.zeros_like(w) for _ in range(3)] for name, w in params.items()}
    for t, gradient in enumerate(gradients, start=1):
        for i, (name, w) in enumerate(params.items()):
            g, (ema, m, v) = gradient[name].copy(), state[name]
            if clip:
                g *= min(1.0, 1.0 / (np.linalg.norm(g) + 1e-6))
            alpha = a0 * np.exp(-k * signal)
            ema[:] = alpha * ema + (1 - alpha) * g
            g = g + lamb * ema
            beta = b1 * (1 - gamma) ** i
            m[:] = beta * m + (1 - beta) * g
            v[:] = b2 * v + (1 - b2) * g * g
            size = lr * np.sqrt(1 - b2**t) / (1 - b1**t)
            w *= 1 - lr * wd
            w -= size * m / (np.sqrt(v) + eps)
    return params


@pytest.mark.parametrize(("clip", "signal"), [(True, 0.0), (False, 1.5)])
def test_it_is_the_released_loop(clip, signal):
    rng = np.random.default_rng(0)
    params, gradients = field(rng), [field(rng) for _ in range(6)]
    with jax.enable_x64(True):
        method = GrokAdamW(0.02, 0.3, 0.9, 0.99, 1e-6, 0.95, 1.5, 0.2, 0.4, signal, clip)
        found = trained(method, params, gradients)
    rule = {"lr": 0.02, "wd": 0.3, "b1": 0.9, "b2": 0.99, "eps": 1e-6, "a0": 0.95, "lamb": 1.5, "gamma": 0.2, "k": 0.4}
    wanted = reference(params, gradients, **rule, signal=signal, clip=clip)
    other = reference(params, gradients, **{**rule, "gamma": 0.1}, signal=signal, clip=clip)
    for name in SHAPES:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-11)
    assert np.allclose(other["a"], wanted["a"]) and not np.allclose(other["b"], wanted["b"])  # control


def test_without_its_additions_it_is_adamw():
    rng = np.random.default_rng(1)
    params, gradients = field(rng), [field(rng) for _ in range(5)]
    plain = GrokAdamW(lr=0.02, wd=0.3, eps=1e-12, lamb=0.0, gamma=0.0, clip=False)
    found, wanted = (trained(m, params, gradients) for m in (plain, AdamW(lr=0.02, wd=0.3, eps=1e-12)))
    for name in SHAPES:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=1e-6)


def test_the_first_step_of_a_late_tensor_is_too_large_as_released():
    params = {str(i).zfill(2): np.zeros(1) for i in range(60)}
    gradient = {name: np.full(1, 0.5) for name in params}
    steps = trained(GrokAdamW(lr=1.0, wd=0.0), params, [gradient])
    assert float(steps["00"][0]) == pytest.approx(-1.0, rel=1e-4)
    assert float(steps["59"][0]) == pytest.approx(-10.0, rel=0.05)


def test_momentum_decays_from_tensor_to_tensor():
    found = momenta({"a": jnp.zeros(2), "b": jnp.zeros(2), "c": jnp.zeros(2)}, 0.8, 0.5)
    assert found == pytest.approx({"a": 0.8, "b": 0.4, "c": 0.2})


def test_clipping_is_tensor_by_tensor_and_leaves_short_gradients():
    params = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    small = {name: np.full(shape, 0.01) for name, shape in SHAPES.items()}
    mixed = {**small, "a": 1e6 * small["a"]}
    rule = {"lr": 0.1, "eps": 1.0, "gamma": 0.0}  # an eps at which sizes show
    with_clip, without = (
        [trained(GrokAdamW(**rule, clip=clip), params, [g]) for g in (small, mixed)] for clip in (1, 0)
    )
    assert all(np.array_equal(with_clip[0][name], without[0][name]) for name in SHAPES)
    assert all(np.array_equal(with_clip[1][name], with_clip[0][name]) for name in ("b", "c"))
    assert not np.allclose(with_clip[1]["a"], without[1]["a"])


def test_no_two_memories_share_a_buffer():
    opt_state = GrokAdamW().transform().init({"a": jnp.ones(3)})
    assert len({x.unsafe_buffer_pointer() for x in jax.tree.leaves(opt_state)}) == 4


def test_a_gradient_of_0_moves_nothing_but_the_decay():
    params = {"a": np.ones(3)}
    found = trained(GrokAdamW(lr=0.1, wd=0.5), params, [{"a": np.zeros(3)}])
    np.testing.assert_allclose(found["a"], 0.95, rtol=1e-6)

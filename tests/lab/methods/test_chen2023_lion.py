from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
import optax
import pytest

from anglewise.lab.methods.chen2023_lion import CLIP_TO_GROK, Lion, SignSGD
from tests.support.weights import drawn_network

pytestmark = pytest.mark.usefixtures("double")


def stepped(method, gradients):
    params, transform = drawn_network(), method.transform()
    opt_state, update = transform.init(params), jax.jit(transform.update)
    for seed in gradients:
        direction, opt_state = update(drawn_network(seed=seed), opt_state, params)
        params = optax.apply_updates(params, direction)
    return jax.tree.leaves(params)


def by_hand(gradients, lr, wd, beta1, beta2):
    params = [np.array(w) for w in jax.tree.leaves(drawn_network())]
    opt_state = [np.zeros_like(w) for w in params]
    for seed in gradients:
        for i, g in enumerate(map(np.asarray, jax.tree.leaves(drawn_network(seed=seed)))):
            params[i] = (1 - lr * wd) * params[i] - lr * np.sign(beta1 * opt_state[i] + (1 - beta1) * g)
            opt_state[i] = beta2 * opt_state[i] + (1 - beta2) * g
    return params


@pytest.mark.parametrize("numbers", [(0.02, 0.3, 0.9, 0.99), (0.01, 0.0, 0.9, 0.97)])
def test_lion_is_the_published_rule(numbers):
    for x, y in zip(stepped(Lion(*numbers), [1, 2, 3, 4]), by_hand([1, 2, 3, 4], *numbers), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_signsgd_is_lion_without_memory():
    sign, lion = stepped(SignSGD(0.02, 0.3), [1, 2]), stepped(Lion(0.02, 0.3, beta1=0.0, beta2=0.0), [1, 2])
    other = stepped(Lion(0.02, 0.3), [1, 2])
    assert all(np.array_equal(x, y) for x, y in zip(sign, lion, strict=True))
    assert not all(np.array_equal(x, y) for x, y in zip(sign, other, strict=True))


def test_every_weight_moves_by_the_learning_rate_and_one_without_gradient_stays():
    transform, params = CLIP_TO_GROK.transform(), drawn_network()
    gradient = eqx.tree_at(lambda p: p.head.weight, drawn_network(seed=1), replace_fn=lambda w: 0 * w)
    direction, _ = transform.update(gradient, transform.init(params), params)
    np.testing.assert_allclose(np.abs(direction.layers[0].weight), CLIP_TO_GROK.lr, rtol=1e-12)
    assert not direction.head.weight.any()

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.norm_clamp import OMNIGROK, NormClamp, NormReplay, norm_of
from tests.support.weights import drawn_network

pytestmark = pytest.mark.usefixtures("double")


def total(leaves):
    return np.sqrt(sum((np.asarray(w) ** 2).sum() for w in leaves))


def stepped(method, seeds, lr=0.1):
    """Plain descent, then the method, step by step: weights and the method's memory."""
    params, transform = drawn_network(), method.transform()
    opt_state, update = transform.init(params), jax.jit(transform.update)
    for seed in seeds:
        direction = jax.tree.map(lambda g: -lr * g, drawn_network(seed=seed))
        direction, opt_state = update(direction, opt_state, params)
        params = optax.apply_updates(params, direction)
        params = method.project(params) if method.project is not None else params
    return params, opt_state


def by_hand(seeds, wanted, lr=0.1):
    weights = [np.array(w) for w in jax.tree.leaves(drawn_network())]
    for seed in seeds:
        weights = [
            w - lr * np.asarray(g) for w, g in zip(weights, jax.tree.leaves(drawn_network(seed=seed)), strict=True)
        ]
        weights = [w * wanted / total(weights) for w in weights]
    return weights


def held(pairs):
    for wanted, got in pairs.values():
        np.testing.assert_allclose(got, wanted, rtol=1e-12)
    return pairs


def test_the_norm_of_the_network_is_held():
    first = total(jax.tree.leaves(drawn_network()))
    for method, wanted in ((NormClamp(0.8), 0.8 * first), (NormClamp(0.5, 6.0, to="given"), 3.0)):
        params, opt_state = stepped(method, [1, 2, 3])
        for x, y in zip(jax.tree.leaves(params), by_hand([1, 2, 3], wanted), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-10)
        assert len(held(method.check(opt_state, params, {}))) == 1
        np.testing.assert_allclose(norm_of(params), wanted, rtol=1e-12)


def test_each_tensor_is_held_and_what_starts_at_zero_stays_free():
    method, params = NormClamp(0.7, per="tensor"), drawn_network()
    params = eqx.tree_at(lambda p: p.layers[0].bias, params, replace_fn=lambda b: 0 * b)
    transform = method.transform()
    opt_state = transform.init(params)
    direction, opt_state = transform.update(drawn_network(seed=1), opt_state, params)
    after = optax.apply_updates(params, direction)
    pairs = method.check(opt_state, after, {})
    assert pairs.pop("norm.layers.0.bias")[1] > 0
    np.testing.assert_allclose(after.layers[0].bias, drawn_network(seed=1).layers[0].bias, rtol=1e-12)
    assert len(held(pairs)) == 6


def test_omnigrok_holds_all_but_the_embeddings():
    params, opt_state = stepped(OMNIGROK, [1, 2])
    before = drawn_network()
    rest = [w for w, r in zip(jax.tree.leaves(before), jax.tree.leaves(before.roles), strict=True) if r != "embedding"]
    np.testing.assert_allclose(opt_state, total(rest), rtol=1e-12)
    held(OMNIGROK.check(opt_state, params, {}))
    free = before.embedding - 0.1 * (drawn_network(seed=1).embedding + drawn_network(seed=2).embedding)
    np.testing.assert_allclose(params.embedding, free, rtol=1e-12)


def test_at_strength_0_it_lets_go():
    off, _ = stepped(NormClamp(0.8, strength=0.0), [1])
    for x, w, g in zip(*(jax.tree.leaves(p) for p in (off, drawn_network(), drawn_network(seed=1))), strict=True):
        np.testing.assert_allclose(x, w - 0.1 * g, rtol=1e-14)


@pytest.mark.parametrize("parameter", ["", "layers.1.weight"])
def test_a_recorded_norm_is_imposed_and_proved(parameter):
    method = NormReplay(2.5, parameter)
    params, opt_state = stepped(method, [1, 2])
    free, _ = stepped(NormClamp(strength=0.0), [1, 2])
    ((name, (wanted, got)),) = method.check(opt_state, params, {}).items()
    assert name == ("norm.layers.1.weight" if parameter else "norm")
    np.testing.assert_allclose([wanted, got], 2.5, rtol=1e-12)
    assert np.array_equal(params.head.weight, free.head.weight) == bool(parameter)


def test_before_the_first_update_the_wanted_norm_is_the_present_one():
    params, method = drawn_network(), NormReplay(2.5)
    wanted, got = method.check(method.transform().init(params), params, {})["norm"]
    assert wanted == got


def test_the_norm_of_the_next_update_is_not_what_is_proved():
    params, opt_state = stepped(NormReplay(2.5), [1])
    wanted, got = NormReplay(9.0).check(opt_state, params, {})["norm"]  # a schedule has moved on
    np.testing.assert_allclose([wanted, got], 2.5, rtol=1e-12)


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(SpecError, match="per tensor needs to='initial', got to='given'"):
        NormClamp(to="given", per="tensor")
    with pytest.raises(SpecError, match="unknown parameter 'layers.0.wieght': did you mean 'layers.0.weight'"):
        NormReplay(1.0, "layers.0.wieght").project(drawn_network())


def test_zero_weights_stay_zero():
    zero = jax.tree.map(jnp.zeros_like, drawn_network())
    assert not any(w.any() for w in jax.tree.leaves(NormReplay(2.0).project(zero)))

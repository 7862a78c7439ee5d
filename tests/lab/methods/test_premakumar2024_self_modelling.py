"""Self-modelling: a prediction of activations, whose error pulls at the prediction and at what is predicted."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.methods.premakumar2024_self_modelling import SelfModelling
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular

DRAW = np.random.default_rng(0)
PAIRS, SEQUENCES = Modular(p=5), Modular(p=5, form="a b =")


def made(method, model, task):
    return jax.jit(lambda key: method.init(method.reshape(model.init(task, key)), key))(jax.random.key(0))


@pytest.fixture(scope="module")
def network():
    return made(SelfModelling(), MLP(hidden=(6, 4)), PAIRS)


POSTS = {
    "hidden.0.post": jnp.asarray(DRAW.normal(size=(9, 6)), jnp.float32),
    "hidden.1.post": jnp.asarray(DRAW.normal(size=(9, 4)), jnp.float32),
}


def test_the_penalty_is_the_mean_squared_error_of_a_linear_prediction(network):
    own = network.extra["self-modelling"]
    h, other = (np.asarray(POSTS[f"hidden.{k}.post"], np.float64) for k in (1, 0))
    predicted = h @ np.asarray(own["weight"], np.float64) + np.asarray(own["bias"], np.float64)
    want = 0.7 * np.mean((predicted - np.concatenate([other, h], axis=1)) ** 2)
    np.testing.assert_allclose(SelfModelling(0.7).penalty(POSTS, network), want, rtol=1e-5)


def test_both_the_prediction_and_the_target_are_pulled(network):
    pull = jax.grad(lambda a: SelfModelling(1.0).penalty(a, network))(POSTS)
    own = network.extra["self-modelling"]
    a = np.concatenate([POSTS["hidden.0.post"], POSTS["hidden.1.post"]], axis=1)
    error = np.asarray(POSTS["hidden.1.post"] @ own["weight"] + own["bias"]) - a
    scale = 2 / error.size
    np.testing.assert_allclose(pull["hidden.0.post"], -scale * error[:, :6], rtol=1e-4, atol=1e-7)
    through = scale * error @ np.asarray(own["weight"]).T
    np.testing.assert_allclose(pull["hidden.1.post"], through - scale * error[:, 6:], rtol=1e-4, atol=1e-7)


def test_strength_0_pulls_at_nothing(network):
    pulls = jax.grad(lambda a, n: SelfModelling(0.0).penalty(a, n), argnums=(0, 1))(POSTS, network)
    assert all((np.asarray(x) == 0).all() for x in jax.tree.leaves(pulls))
    assert SelfModelling(0.1).penalty(POSTS, network) > 0  # control


def test_the_rest_of_the_network_is_drawn_as_without_it(network):
    plain = jax.jit(lambda key: MLP(hidden=(6, 4)).init(PAIRS, key))(jax.random.key(0))
    assert np.array_equal(plain.head.weight, network.head.weight)
    weight = np.asarray(network.extra["self-modelling"]["weight"])
    assert weight.shape == (4, 10) and 0.25 < np.abs(weight).max() <= 0.5


def test_a_transformer_predicts_its_sub_layers_at_the_position_that_is_read():
    method = SelfModelling(1.0)
    network = made(method, Transformer(layers=2, width=8, heads=2, positions="all"), SEQUENCES)
    sites = [f"block.{k}.{part}.out" for k in range(2) for part in ("attention", "mlp")]
    stream = {site: jnp.asarray(DRAW.normal(size=(3, 9, 8)), jnp.float32) for site in (*sites, "block.1.out")}
    own = network.extra["self-modelling"]
    assert own["weight"].shape == (8, 32)
    predicted = network.norm(stream["block.1.out"][-1]) @ own["weight"] + own["bias"]
    want = np.mean((np.asarray(predicted) - np.concatenate([stream[site][-1] for site in sites], axis=1)) ** 2)
    np.testing.assert_allclose(method.penalty(stream, network), want, rtol=1e-5)
    other = {site: h.at[0].add(1.0) for site, h in stream.items()}
    assert method.penalty(other, network) == method.penalty(stream, network)


def test_an_unknown_target_is_an_error():
    with pytest.raises(SpecError, match=r"unknown site to act at 'hidden\.3\.post': did you mean 'hidden\."):
        SelfModelling(targets=("hidden.3.post",)).reshape(MLP(hidden=(6, 4)).init(PAIRS, jax.random.key(0)))

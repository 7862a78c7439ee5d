"""Dropout: what is kept, what is scaled, and that evaluations and rate 0 know nothing of it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.errors import SpecError
from anglewise.lab.engine.forward import with_methods
from anglewise.lab.engine.placement import Placement
from anglewise.lab.engine.population import Population
from anglewise.lab.engine.programs import Compiled
from anglewise.lab.methods.optimizers import SGD
from anglewise.lab.methods.srivastava2014_dropout import Dropout
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.model import shape_of
from anglewise.lab.spec import Arm, Run, Training
from anglewise.lab.tasks.modular import Modular

TASK, MODEL = Modular(p=7, train=0.5), MLP(hidden=(12, 10))
H = jnp.asarray(np.random.default_rng(0).normal(size=(50, 40)), jnp.float32)
KEY = jax.random.key(3)
NETWORK = shape_of(MODEL, TASK)
STREAM = shape_of(Transformer(layers=2, width=8, heads=2), Modular(p=7, form="a b ="))


def test_what_is_kept_is_scaled_and_about_the_rate_is_dropped():
    y = np.asarray(Dropout(0.3).tap(NETWORK, "hidden.0.post", H, KEY))
    kept = y != 0
    np.testing.assert_allclose(y[kept], np.asarray(H)[kept] / 0.7, rtol=1e-6)
    assert abs(kept.mean() - 0.7) < 4 * np.sqrt(0.7 * 0.3 / kept.size)


def test_the_gradient_is_the_mask():
    gradient = jax.grad(lambda h: jnp.sum(Dropout(0.5).tap(NETWORK, "hidden.0.post", h, KEY)))(H)
    kept = np.asarray(Dropout(0.5).tap(NETWORK, "hidden.0.post", H, KEY)) != 0
    np.testing.assert_array_equal(gradient, np.where(kept, 2.0, 0.0))


def test_without_a_key_and_elsewhere_nothing_happens():
    for method, network, site, key in [
        (Dropout(0.5), NETWORK, "hidden.0.post", None),
        (Dropout(0.5), NETWORK, "hidden.0.pre", KEY),
        (Dropout(0.5), STREAM, "block.0.out", KEY),
        (Dropout(0.5, at=("hidden.1.post",)), NETWORK, "hidden.0.post", KEY),
    ]:
        assert method.tap(network, site, H, key) is H
    for network, site in [(NETWORK, "hidden.0.post"), (STREAM, "block.0.attention.out"), (STREAM, "block.1.mlp.out")]:
        assert Dropout(0.5).tap(network, site, H, KEY) is not H  # control


def test_a_network_with_dropout_is_the_obvious_one_with_a_mask_per_layer():
    network = MODEL.init(TASK, jax.random.key(0))
    inputs, _ = TASK.table()
    masks = {}

    class Seen(Dropout):
        def tap(self, params, site, h, key):
            if site in ("hidden.0.post", "hidden.1.post"):
                masks[site] = np.asarray(super().tap(params, site, jnp.ones_like(h), key))
            return super().tap(params, site, h, key)

    logits, _ = with_methods(network, network, (Seen(0.4),))(jnp.asarray(inputs), key=KEY)
    first, second, head = (np.asarray(x.weight, np.float64) for x in (*network.layers, network.head))
    x = np.concatenate([np.eye(7)[inputs[:, 0]], np.eye(7)[inputs[:, 1]]], axis=1)
    h = np.maximum(x @ first, 0) * masks["hidden.0.post"]
    want = (np.maximum(h @ second, 0) * masks["hidden.1.post"]) @ head
    np.testing.assert_allclose(logits, want, atol=1e-5)
    assert not np.array_equal(masks["hidden.0.post"][:, :10], masks["hidden.1.post"])
    assert len({row.tobytes() for row in masks["hidden.0.post"]}) > 40  # control: rows have masks of their own


def test_rate_0_trains_to_the_bits_of_no_dropout():
    def trained(*methods):
        run = Run("dropout", TASK, MODEL, Arm("arm", (SGD(lr=0.1), *methods)), Training(budget=4, every=4), 0)
        population = Population([run], Compiled(run, Placement(False, 0, 4), (), ()))
        population.begin()
        while population.live.any():
            population.advance()
        return [np.asarray(x).tobytes() for x in jax.tree.leaves(population.state.params)]

    assert trained(Dropout(0.0)) == trained()
    assert trained(Dropout(0.3)) != trained()  # control


def test_what_cannot_be_meant_is_refused():
    for rate in (-0.1, 1.0):
        with pytest.raises(SpecError, match=rf"Dropout.rate must lie in \[0, 1\), got {rate}"):
            Dropout(rate)
    network = Transformer(layers=1, width=8, heads=2).init(Modular(p=7, form="a b ="), jax.random.key(0))
    with pytest.raises(
        SpecError, match=r"unknown site to act at 'block\.0\.mlp\.post': did you mean 'block\.0\.mlp\.out'"
    ):
        Dropout(at=("block.0.mlp.post",)).reshape(network)
    assert Dropout(at=("block.0.stream",)).reshape(network) is network

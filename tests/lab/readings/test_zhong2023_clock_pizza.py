import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.readings.zhong2023_clock_pizza import ClockPizza, draw
from anglewise.lab.tasks.modular import Modular
from tests.support.readings.circuits import Hand, classes_in_group, drawn, measured, places


def irrelevance(task, right):
    """Of a network whose logit of the right answer is given over places in the group's order, [n, n]."""
    n = right.shape[0]
    logits = np.random.default_rng(0).normal(size=(n, n, n))
    i, j = places(n)
    logits[i, j, (i + task.cycle.sign * j) % n] = right
    network = Hand(classes_in_group(task, logits), np.zeros((task.tokens, task.tokens, 1)))
    found = measured(ClockPizza(), task, network)
    assert set(found) == {("", "distance_irrelevance")}
    return float(found["", "distance_irrelevance"])


@pytest.mark.parametrize("operation, p", [("+", 9), ("+", 8), ("-", 7), ("*", 7)])
def test_distance_irrelevance_is_the_spread_at_equal_distance_over_the_spread(operation, p):
    task = Modular(p=p, operation=operation)
    n, sign = len(task.cycle.order), task.cycle.sign
    right = np.random.default_rng(p).normal(size=(n, n))
    groups = [[right[i, j] for i in range(n) for j in range(n) if (i - sign * j) % n == d] for d in range(n)]
    wanted = np.mean([np.std(group) for group in groups]) / np.std(right)
    assert irrelevance(task, right) == pytest.approx(wanted, rel=1e-10)
    assert 0.7 < wanted <= 1  # noise: the distance tells nothing


def test_distance_irrelevance_is_0_for_a_pizza_and_1_where_only_the_answer_counts():
    for operation, sign in (("+", 1), ("-", -1)):
        task, (i, j) = Modular(p=11, operation=operation), places(11)
        pizza = np.abs(np.cos(np.pi * 2 * (i - sign * j) / 11))
        assert irrelevance(task, pizza) == pytest.approx(0, abs=1e-12)
        assert irrelevance(task, np.cos(2 * np.pi * 3 * (i + sign * j) / 11)) == pytest.approx(1, rel=1e-10)
        assert math.isnan(irrelevance(task, np.full((11, 11), 3.0)))  # an exact clock: no spread to share


class Circles(eqx.Module):
    """Adds by tables: a clock multiplies complex numbers, a pizza applies a function to the sum of the embeddings."""

    embedding: jnp.ndarray
    readout: jnp.ndarray
    clock: bool = eqx.field(static=True)

    def __call__(self, inputs, *, tap=None, key=None):
        a, b = (self.embedding[inputs[:, i]] for i in (0, 1))
        if self.clock:
            both = jnp.stack([a[:, 0] * b[:, 0] - a[:, 1] * b[:, 1], a[:, 0] * b[:, 1] + a[:, 1] * b[:, 0]], axis=1)
            return both @ self.readout, {}
        return jnp.abs((a + b) @ self.readout[:2]) @ self.readout[2:], {}

    @property
    def tables(self):
        return (self.embedding,)


def circle(n, k=1):
    angle = 2 * np.pi * k * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_gradients_of_a_clock_make_the_angle_between_the_operands_and_those_of_a_pizza_are_equal():
    n, k = 11, 3
    reading = ClockPizza(triples=300)
    clock = Circles(circle(n, k), circle(n, k).T, True)
    found = measured(reading, Modular(p=n), clock)
    a, b, _ = draw(tuple(range(n)), 300).T
    assert found["", "gradient_symmetricity"] == pytest.approx(np.cos(2 * np.pi * k * (a - b) / n).mean(), abs=1e-12)
    assert abs(found["", "gradient_symmetricity"]) < 0.2
    rng = np.random.default_rng(0)
    pizza = Circles(circle(n, k), np.vstack([rng.normal(size=(2, n)), rng.normal(size=(n, n))]), False)
    assert measured(reading, Modular(p=n), pizza)["", "gradient_symmetricity"] == pytest.approx(1, abs=1e-12)


def test_gradients_are_those_that_are_written_out_for_one_hidden_layer():
    task, model = Modular(p=7, operation="*"), MLP(hidden=(9,), embedding=4, bias=True)
    network = drawn(model, task)
    e, w, v = (np.asarray(x, float) for x in (network.embedding[0], network.layers[0].weight, network.head.weight))
    cosines = []
    for a, b, c in draw(task.cycle.order, 100):
        h = np.concatenate([e[a], e[b]]) @ w + np.asarray(network.layers[0].bias, float)
        g = w @ ((h > 0) * v[:, c])
        cosines.append(g[:4] @ g[4:] / (np.linalg.norm(g[:4]) * np.linalg.norm(g[4:])))
    found = measured(ClockPizza(), task, network)
    assert found["", "gradient_symmetricity"] == pytest.approx(np.mean(cosines), rel=1e-9)


def test_a_tied_head_adds_no_gradient_of_its_own():
    # with attention that sees no differences and no positions, the operands come in alike
    task = Modular(p=7, form="a b =")
    model = Transformer(layers=1, width=8, heads=2, tied=True, norm="none", causal=True)
    network = drawn(model, task)
    network = eqx.tree_at(lambda t: t.position, network, jnp.zeros_like(network.position))
    mixing = network.blocks[0].qkv.weight
    network = eqx.tree_at(lambda t: t.blocks[0].qkv.weight, network, mixing.at[:, :16].set(0))
    found = measured(ClockPizza(triples=20), task, network)
    assert found["", "gradient_symmetricity"] == pytest.approx(1, abs=1e-9)
    # control: where attention looks, they do not
    looks = eqx.tree_at(lambda t: t.blocks[0].qkv.weight, network, mixing)
    assert measured(ClockPizza(triples=20), task, looks)["", "gradient_symmetricity"] < 0.99


def test_circularity_is_1_for_one_frequency_per_component_and_low_for_random_tokens():
    n, zero = 11, np.zeros((11, 11, 11))
    circles = (
        np.hstack([3 * circle(n, 2), circle(n, 5)]) @ np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    )
    assert measured(ClockPizza(triples=2), Modular(p=n), Spread(circles, zero))["", "circularity"] == pytest.approx(1)
    table = np.random.default_rng(1).normal(size=(n, 6))
    u, _, _ = np.linalg.svd(table - table.mean(axis=0))
    share = [max(2 / n * abs(np.fft.fft(u[:, i])[k]) ** 2 for k in range(1, 6)) for i in range(4)]
    found = measured(ClockPizza(triples=2), Modular(p=n), Spread(table, zero))
    assert found["", "circularity"] == pytest.approx(np.mean(share), rel=1e-9)
    assert found["", "circularity"] < 0.8


class Spread(eqx.Module):
    """An embedding, and logits that it has a part in."""

    embedding: jnp.ndarray
    logits: jnp.ndarray

    def __call__(self, inputs, *, tap=None, key=None):
        a, b = inputs[:, 0], inputs[:, 1]
        return self.logits[a, b] + jnp.sum(self.embedding[a] * self.embedding[b], axis=1, keepdims=True), {}

    @property
    def tables(self):
        return (self.embedding,)


def test_operands_without_a_space_in_common_have_no_symmetricity():
    task = Modular(p=5)
    for model in (MLP(hidden=(4,)), MLP(hidden=(4,), embedding=3, shared=False)):
        assert set(measured(ClockPizza(), task, drawn(model, task))) == {("", "distance_irrelevance")}


def test_triples_are_the_same_at_every_call_and_their_tokens_differ():
    triples = draw(Modular(p=7, operation="*").cycle.order, 50)
    assert all(len(set(row)) == 3 and 0 not in row for row in triples.tolist())
    np.testing.assert_array_equal(triples, draw(Modular(p=7, operation="*").cycle.order, 50))

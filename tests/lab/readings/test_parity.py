import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols.reading import PastWeights
from anglewise.lab.readings.parity import ParityProgress
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity
from tests.support.programs import quick_jit
from tests.support.readings import looking, replaced

TASK = Parity(bits=7, secret=2, train=60, test=60)
MODEL = MLP(hidden=(8, 6))
SITE = "hidden.0.pre"
SHARES = ("relevant_weight_share", "relevant_movement_share", "relevant_gradient_share")


def signed(params):
    """Weights on plus and minus 1, bit by bit."""
    w = np.asarray(params.layers[0].weight, np.float64)
    return np.array([(w[2 * i + 1] - w[2 * i]) / 2 for i in range(w.shape[0] // 2)])


def obvious_share(w):
    return sum(x * x for x in w[:2].ravel()) / sum(x * x for x in w.ravel())


def obvious_gap(w):
    gaps, weights = [], []
    for column in np.abs(w.T):
        gaps.append((min(column[:2]) - max(column[2:])) / (max(column) or 1))
        weights.append(sum(x * x for x in column))
    return np.average(gaps, weights=weights)


@pytest.fixture(scope="module")
def compiled():
    """A function of (params, earlier params, its step, test inputs, test labels), and params."""
    at, params = looking(MODEL, TASK)

    @quick_jit
    def measure(params, before, step, inputs, labels):
        snapshot = at(params)
        earlier = (PastWeights(before, step), snapshot.earlier[1])
        data = snapshot.data._replace(test_inputs=inputs, test_labels=labels)
        seen = dataclasses.replace(snapshot, earlier=earlier, data=data)
        return {name: x for (_, name), x in ParityProgress(rows=0).measure(seen).items()}

    data = at(params).data

    def run(params, before=None, step=3, inputs=data.test_inputs, labels=data.test_labels):
        return measure(params, params if before is None else before, jnp.asarray(step), inputs, labels)

    return run, params, at


def test_values_are_those_of_the_obvious_computation():
    with jax.enable_x64(True):
        at, params = looking(MODEL, TASK)

        @quick_jit
        def both(params):
            snapshot = at(params)
            by_weight = jax.grad(lambda p: snapshot.objective(p, *snapshot.rows("test", 50)))(params)
            return dict(ParityProgress(rows=50).measure(snapshot)), by_weight

        found, by_weight = both(params)
        w, before = signed(params), signed(at(params).earlier[0].params)
        gradient = 2 * signed(by_weight)  # a bit's weight moves the rows of token 1 and of token 0 apart
        expected = {
            "relevant_weight_share": obvious_share(w),
            "relevant_movement_share": obvious_share(w - before),
            "relevant_gradient_share": obvious_share(gradient),
            "relevant_gap": obvious_gap(w),
            "relevant_gradient_gap": obvious_gap(gradient),
            "relevant_inf": np.abs(w[:2]).max(),
            "irrelevant_inf": np.abs(w[2:]).max(),
        }
    assert set(found) == {(SITE, name) for name in expected}
    for name, value in expected.items():
        np.testing.assert_allclose(found[SITE, name], value, rtol=1e-9, err_msg=name)


def with_bits(params, w):
    """Params whose first layer has weight w[i] on bit i, and whatever bias."""
    rows = np.stack([0.3 - np.asarray(w), 0.3 + np.asarray(w)], axis=1).reshape(14, 8)
    return replaced(params, lambda p: p.layers[0].weight, rows)


def test_a_layer_that_reads_the_secret_alone_has_share_and_gap_one(compiled):
    measure, params, _ = compiled
    w = np.zeros((7, 8))
    w[0], w[1] = np.arange(1, 9), -np.arange(1, 9)
    found = measure(with_bits(params, w), with_bits(params, np.zeros((7, 8))))
    assert found["relevant_weight_share"] == pytest.approx(1) and found["relevant_gap"] == pytest.approx(1)
    assert found["relevant_movement_share"] == pytest.approx(1)
    assert found["relevant_inf"] == pytest.approx(8, rel=1e-5) and found["irrelevant_inf"] < 1e-6


def test_a_layer_that_reads_one_secret_bit_has_no_gap_to_show(compiled):
    measure, params, _ = compiled
    w = np.zeros((7, 8))
    w[0] = 1
    assert measure(with_bits(params, w))["relevant_gap"] == pytest.approx(0, abs=1e-6)
    w[4] = 1
    found = measure(with_bits(params, w))
    assert found["relevant_gap"] == pytest.approx(-1, abs=1e-6)
    assert found["relevant_weight_share"] == pytest.approx(0.5)


def test_the_gradient_gap_of_a_majority_neuron_is_that_of_its_fourier_coefficients(compiled):
    """Gradients are coefficients of the majority at S without i and at S with j: 5/16 and 1/16 in absolute value."""
    measure, params, _ = compiled
    params = replaced(params, lambda p: p.layers[0].weight, np.tile([[-1.0], [1.0]], (7, 8)))
    params = replaced(params, lambda p: p.layers[1].weight, np.full((8, 6), 0.01))
    params = replaced(params, lambda p: p.head.weight, np.tile([-1e-4, 1e-4], (6, 1)))
    cube = np.array(list(np.ndindex(*(2,) * 7)), np.int32)
    found = measure(params, inputs=cube, labels=TASK.answer(cube))
    assert found["relevant_gradient_gap"] == pytest.approx(1 - 1 / 5, abs=1e-3)
    assert found["relevant_gradient_share"] == pytest.approx(2 / (2 + 5 / 25), abs=1e-3)


def test_movement_is_unknown_at_the_first_measurement_and_without_movement(compiled):
    measure, params, _ = compiled
    other = jax.tree.map(lambda w: w + 0.1 * jnp.arange(w.size).reshape(w.shape), params)
    assert np.isnan(measure(params, other, step=-1)["relevant_movement_share"])
    assert np.isnan(measure(params, params, step=4)["relevant_movement_share"])
    assert np.isfinite(measure(params, other, step=0)["relevant_movement_share"])


def test_permuting_neurons_and_shifting_a_bits_two_rows_alike_change_nothing(compiled):
    measure, params, _ = compiled
    order = np.random.default_rng(0).permutation(8)
    moved = replaced(params, lambda p: p.layers[0].weight, params.layers[0].weight[:, order])
    moved = replaced(moved, lambda p: p.layers[1].weight, params.layers[1].weight[order])
    shift = np.zeros((14, 8))
    shift[0:2], shift[8:10] = 1, -1  # a constant, taken away again
    shifted = replaced(moved, lambda p: p.layers[0].weight, moved.layers[0].weight + shift)
    one = measure(params)
    for other in (measure(moved), measure(shifted)):
        for name in set(one) - {"relevant_movement_share"}:
            np.testing.assert_allclose(other[name], one[name], rtol=1e-4)


def test_progress_shows_on_parity_and_not_in_an_untrained_network():
    """Chance is 3/30; ten untrained networks' mean is near it, a trained one's share is far above."""
    task, model = Parity(bits=30, secret=3, train=2000, test=100), MLP(hidden=(64,), bias=True)
    at, trained = looking(model, task, trained=150)
    share = quick_jit(lambda params: ParityProgress(rows=1).measure(at(params))[SITE, "relevant_weight_share"])
    untrained = looking(model, task)[1]
    assert share(untrained) == pytest.approx(0.1, abs=0.03) and share(trained) > 0.3


def test_it_suits_one_hot_networks_on_parity_alone():
    reading = ParityProgress()
    assert reading.suits(TASK, MODEL)
    assert not reading.suits(TASK, MLP(embedding=4)) and not reading.suits(TASK, Transformer())
    assert not reading.suits(Modular(), MODEL)


def test_when_every_bit_is_secret_all_is_relevant():
    task = Parity(bits=4, secret=4, train=8, test=8)
    at, params = looking(MODEL, task)
    found = quick_jit(lambda params: dict(ParityProgress().measure(at(params))))(params)
    for name in SHARES:
        assert found[SITE, name] == pytest.approx(1)
    assert np.isnan(found[SITE, "irrelevant_inf"]) and 0 < found[SITE, "relevant_gap"] <= 1

import jax
import numpy as np
import pytest

from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.readings.subnetworks import Subnetworks
from anglewise.lab.tasks.modular import Modular
from tests.support.programs import quick_jit
from tests.support.readings import PAIRS, looking, replaced

NAMES = ("effective_neurons", "sparse_accuracy", "rest_accuracy", "active_norm", "inactive_norm")
MODEL = MLP(hidden=(16, 12))


def forward(params, inputs, masks):
    """Logits of a bias-free 2-hot ReLU network, layer by layer, with some neurons left out."""
    h = np.array([[float(x[0] == t) for t in range(5)] + [float(x[1] == t) for t in range(5)] for x in inputs])
    for layer, mask in zip(params.layers, masks, strict=True):
        h = np.maximum(h @ np.asarray(layer.weight, np.float64), 0) * mask
    return h @ np.asarray(params.head.weight, np.float64)


def obvious(params, data, keep, layer):
    """Linear search for the smallest k that agrees, and whether agreement grows with k."""
    (x, _), (test_x, test_y) = ((np.asarray(a) for a in pair) for pair in (data[:2], data[2:]))
    norms = np.linalg.norm(np.asarray(params.layers[layer].weight, np.float64), axis=0)
    ones = [np.ones(len(layer.weight.T)) for layer in params.layers]

    def predict(inputs, mask):
        z = forward(params, inputs, [mask if k == layer else one for k, one in enumerate(ones)])
        unique = (z == z.max(axis=1, keepdims=True)).sum(axis=1) == 1
        return np.where(unique, z.argmax(axis=1), -1)

    order, whole, agreement = np.argsort(-norms), predict(x, ones[layer]), []
    for k in range(1, len(norms) + 1):
        mask = np.isin(np.arange(len(norms)), order[:k])
        agreement.append(np.mean(predict(x, mask) == whole))
    k = next(i for i, share in enumerate(agreement, start=1) if share >= keep)
    active = np.isin(np.arange(len(norms)), order[:k])
    enough = np.array(agreement) >= keep
    values = [
        k,
        np.mean(predict(test_x, active) == test_y),
        np.mean(predict(test_x, ~active) == test_y),
        norms[active].mean(),
        norms[~active].mean() if k < len(norms) else np.nan,
    ]
    return values, bool(np.all(np.diff(enough.astype(int)) >= 0))


@pytest.fixture(scope="module")
def compiled():
    """The reading, compiled for float64 weights, its params and data."""
    with jax.enable_x64(True):
        at, params = looking(MODEL, PAIRS, trained=100)
        measure = quick_jit(lambda params: dict(Subnetworks().measure(at(params))))
        measure(params)
        return measure, jax.device_get(params), jax.device_get(at(params).data)


def run(compiled, params):
    with jax.enable_x64(True):
        return {name: np.asarray(value) for name, value in compiled[0](params).items()}


def test_values_are_those_of_the_obvious_search_wherever_agreement_grows_with_k(compiled):
    _, params, data = compiled
    rng, compared = np.random.default_rng(0), 0
    drawn = [jax.tree.map(lambda w: rng.normal(size=w.shape), params) for _ in range(8)]
    for candidate in (params, *drawn):
        found = run(compiled, candidate)
        for layer in (0, 1):
            expected, monotone = obvious(candidate, data, 0.99, layer)
            if monotone:
                compared += 1
                got = [found[f"hidden.{layer}.pre", name] for name in NAMES]
                np.testing.assert_allclose(got, expected, rtol=1e-9)
            else:
                assert found[f"hidden.{layer}.pre", "effective_neurons"] >= expected[0]
    assert compared >= 8


@pytest.mark.parametrize("loud", [1, 3, 11])
def test_neurons_that_nobody_hears_are_not_counted(compiled, loud):
    """A network on `loud` neurons, hidden among quiet ones that would not change a prediction."""
    _, params, _ = compiled
    rng = np.random.default_rng(loud)
    head = np.zeros((12, 5))
    head[:loud] = 10 * rng.normal(size=(loud, 5))
    head[loud:] = 1e-9 * rng.normal(size=(12 - loud, 5))
    incoming = np.abs(rng.normal(size=(16, 12))) * np.where(np.arange(12) < loud, 1, 1e-3)
    first = np.abs(rng.normal(size=(10, 16)))
    order = rng.permutation(12)  # where they stand does not matter
    with jax.enable_x64(True):
        moved = replaced(params, lambda p: p.layers[0].weight, first)
        moved = replaced(moved, lambda p: p.layers[1].weight, incoming[:, order])
        moved = replaced(moved, lambda p: p.head.weight, head[order])
    found = run(compiled, moved)
    expected, _ = obvious(moved, compiled[2], 0.99, 1)
    assert found["hidden.1.pre", "effective_neurons"] == expected[0] <= loud
    if loud == 1:
        assert found["hidden.1.pre", "active_norm"] > 100 * found["hidden.1.pre", "inactive_norm"]


def test_where_every_neuron_stands_for_a_class_all_are_needed():
    """One hidden neuron for each of five classes, chosen by the first token: without it, its class is a tie."""
    at, params = looking(MLP(hidden=(5,)), Modular(p=5, train=0.5))
    first = np.concatenate([np.diag([1.0, 1.1, 1.2, 1.3, 1.4]), np.zeros((5, 5))])
    moved = replaced(params, lambda p: p.layers[0].weight, first)
    moved = replaced(moved, lambda p: p.head.weight, np.eye(5))
    found = quick_jit(lambda params: dict(Subnetworks().measure(at(params))))(moved)
    assert found["hidden.0.pre", "effective_neurons"] == 5
    assert found["hidden.0.pre", "rest_accuracy"] == 0 and np.isnan(found["hidden.0.pre", "inactive_norm"])
    expected = np.mean(at(moved).data.test_inputs[:, 0] == at(moved).data.test_labels)
    assert found["hidden.0.pre", "sparse_accuracy"] == pytest.approx(expected)


def test_control_a_network_of_zeros_is_all_neurons_and_never_right(compiled):
    found = run(compiled, jax.tree.map(np.zeros_like, compiled[1]))
    for layer, width in ((0, 16), (1, 12)):
        assert found[f"hidden.{layer}.pre", "effective_neurons"] == width
        assert found[f"hidden.{layer}.pre", "sparse_accuracy"] == 0


def test_permuting_neurons_changes_nothing(compiled):
    _, params, _ = compiled
    order = np.random.default_rng(3).permutation(16)
    with jax.enable_x64(True):
        moved = replaced(params, lambda p: p.layers[0].weight, params.layers[0].weight[:, order])
        moved = replaced(moved, lambda p: p.layers[1].weight, params.layers[1].weight[order])
    one, two = run(compiled, params), run(compiled, moved)
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-9)


def test_it_suits_networks_whose_sites_are_pre_activations():
    assert Subnetworks().suits(PAIRS, MODEL) and not Subnetworks().suits(PAIRS, Transformer())

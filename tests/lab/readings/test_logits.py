import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.logits import Logits, margin, saturated
from anglewise.lab.tasks.random_labels import RandomLabels
from tests.support.programs import quick_jit
from tests.support.readings import CASES, PAIRS, looking, replaced

READING = Logits(rows=9, probes=5)


def obvious(z, labels, part):
    """Everything from the logits by loops over Python's numbers."""
    z, labels = np.asarray(z, np.float64), np.asarray(labels)
    margins = np.array([z[i, y] - max(z[i, c] for c in range(z.shape[1]) if c != y) for i, y in enumerate(labels)])
    centred = [[x - sum(row) / len(row) for x in row] for row in z.tolist()]
    values = {
        "logit_scale": np.sqrt(np.mean([x * x for row in centred for x in row])),
        "margin": margins.mean(),
        "margin_q05": np.quantile(margins, 0.05),
        "margin_min": margins.min(),
    }
    norms = {"logit_norm": np.mean([np.sqrt(sum(x * x for x in row)) for row in z.tolist()])}
    return values | norms if part == "train" else {f"test_{name}": value for name, value in values.items()}


@pytest.mark.parametrize("case", CASES)
def test_values_are_those_of_the_obvious_computation(case):
    with jax.enable_x64(True):
        at, params = looking(*CASES[case])

        @quick_jit
        def both(params):
            snapshot = at(params)
            parts = {part: snapshot.forward(part, 9) for part in ("train", "test")}
            return dict(READING.measure(snapshot)), {part: (seen.logits, seen.labels) for part, seen in parts.items()}

        found, seen = jax.device_get(both(params))
        total = np.sqrt(sum(np.sum(np.asarray(w, np.float64) ** 2) for w in jax.tree.leaves(params)))
    expected = obvious(*seen["train"], "train") | obvious(*seen["test"], "test")
    for name, value in expected.items():
        np.testing.assert_allclose(found["", name], value, rtol=1e-9, err_msg=name)
    assert set(found) == {("", name) for name in (*expected, "saturation", "degree", "normalised_margin")}
    if case == "2-hot":  # three weight layers, no bias
        assert found["", "degree"] == 3
        np.testing.assert_allclose(found["", "normalised_margin"], expected["margin_min"] / total**3, rtol=1e-9)
    else:
        assert np.isnan(found["", "degree"]) and np.isnan(found["", "normalised_margin"])


def test_margins_of_a_hand_made_case():
    z = jnp.asarray([[3.0, 1.0, 2.5], [3.0, 1.0, 2.5], [2.0, 2.0, 0.0]])
    assert margin(z, jnp.asarray([0, 1, 1])).tolist() == [0.5, -2.0, 0.0]


@pytest.mark.parametrize(
    ("model", "degree"),
    [
        (MLP(hidden=(6, 5), embedding=3), 4),
        (MLP(hidden=(6,), bias=True), np.nan),
        (MLP(hidden=(6,), activation="gelu"), np.nan),
    ],
)
def test_the_degree_is_the_number_of_weight_layers_of_a_homogeneous_network_alone(model, degree):
    at, params = looking(model, PAIRS)
    assert np.array_equal(quick_jit(lambda params: READING.degree(at(params)))(params), degree, equal_nan=True)


@pytest.fixture(scope="module")
def homogeneous():
    """A compiled reading of a homogeneous network, and its params."""
    at, params = looking(MLP(hidden=(8, 6)), PAIRS)
    return quick_jit(lambda params: dict(READING.measure(at(params)))), params


def test_scaling_the_weights_scales_margins_and_not_the_normalised_one(homogeneous):
    measure, params = homogeneous
    one, ten = measure(params), measure(jax.tree.map(lambda w: 10 * w, params))
    for name in ("margin", "margin_q05", "margin_min", "test_margin", "logit_scale", "logit_norm"):
        np.testing.assert_allclose(ten["", name], 1e3 * one["", name], rtol=1e-4)
    np.testing.assert_allclose(ten["", "normalised_margin"], one["", "normalised_margin"], rtol=1e-4)


def test_permuting_neurons_changes_nothing(homogeneous):
    measure, params = homogeneous
    order = np.random.default_rng(0).permutation(8)
    first, second = params.layers[0].weight[:, order], params.layers[1].weight[order]
    moved = replaced(replaced(params, lambda p: p.layers[0].weight, first), lambda p: p.layers[1].weight, second)
    one, two = measure(params), measure(moved)
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-4, atol=1e-12)


def test_a_network_of_zeros_has_no_normalised_margin(homogeneous):
    measure, params = homogeneous
    found = measure(jax.tree.map(jnp.zeros_like, params))
    assert found["", "margin"] == 0 and found["", "saturation"] == 0 and found["", "logit_scale"] == 0
    assert np.isnan(found["", "degree"]) and np.isnan(found["", "normalised_margin"])


def torch_zero(z, labels):
    loss = torch.nn.functional.cross_entropy(
        torch.tensor(np.asarray(z), dtype=torch.float32), torch.tensor(np.asarray(labels)).long(), reduction="none"
    )
    return (loss == 0).numpy()


def test_saturation_is_a_float32_loss_of_exactly_zero():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 400)
    z = rng.normal(size=(400, 7))
    z[np.arange(400), labels] += rng.uniform(0, 35, 400)  # margins on both sides of 16.6 = 24 ln 2
    ours = np.asarray(saturated(jnp.asarray(z), jnp.asarray(labels)))
    assert np.array_equal(ours, torch_zero(z, labels)) and 0.2 < ours.mean() < 0.8
    with jax.enable_x64(True):  # also where the run's arithmetic is float64
        assert np.array_equal(saturated(jnp.asarray(z, jnp.float64), jnp.asarray(labels)), ours)


def test_saturation_begins_where_float32_cannot_tell_one_and_a_bit_from_one():
    def one(distance, label=0):
        return bool(saturated(jnp.asarray([[0.0, -distance]]), jnp.asarray([label]))[0])

    half_ulp = 24 * np.log(2)
    assert one(half_ulp + 0.1) and not one(half_ulp - 0.1)
    assert not one(0.0) and not one(1e3, label=1) and not one(np.inf, label=1)


def test_logits_far_from_zero_saturate_all_the_same():
    z = jnp.asarray([[1e4, 1e4 - 20], [1e4, 1e4 - 10]])
    assert saturated(z, jnp.asarray([0, 0])).tolist() == [True, False] == torch_zero(z, [0, 0]).tolist()


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_reading_counts_saturated_training_examples(precision):
    with jax.enable_x64(precision == "float64"):
        at, params = looking(MLP(hidden=(8, 6)), PAIRS, trained=60)
        scaled = jax.tree.map(lambda w: 4 * w, params)  # logits 64 times as large

        @quick_jit
        def measure(params):
            snapshot = at(params)
            return Logits().measure(snapshot)["", "saturation"], snapshot.forward().logits

        found, z = measure(scaled)
        expected = torch_zero(z, at(scaled).data.train_labels).mean()
        assert 0 < expected < 1 and found == pytest.approx(expected)


def test_control_random_labels_give_margins_on_train_and_none_on_test():
    model, task = MLP(hidden=(32,), embedding=16), RandomLabels(p=7, train=0.5)
    at, params = looking(model, task, trained=150)
    measure = quick_jit(lambda params: dict(Logits().measure(at(params))))
    trained, drawn = measure(params), measure(looking(model, task)[1])
    assert trained["", "margin_min"] > 0 > trained["", "test_margin"]
    assert drawn["", "margin"] < 0 and drawn["", "test_margin"] < 0


def test_rows_choose_how_many_examples_are_seen():
    at, params = looking(MLP(hidden=(8, 6)), PAIRS)

    @quick_jit
    def measure(params):
        snapshot = at(params)
        found = [Logits(rows=rows, probes=2).measure(snapshot)["", "margin_min"] for rows in (0, 3)]
        return found, margin(snapshot.network(snapshot.data.train_inputs)[0], snapshot.data.train_labels)

    (every, three), margins = measure(params)
    np.testing.assert_allclose([every, three], [margins.min(), margins[:3].min()], rtol=1e-5)

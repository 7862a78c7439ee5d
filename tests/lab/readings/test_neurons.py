import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.models.mlp import MLP
from anglewise.lab.protocols.model import Site
from anglewise.lab.readings.neurons import Neurons, features, score
from tests.support.programs import quick_jit
from tests.support.readings import CASES, PAIRS, looking, read, replaced

READING = Neurons(rows=9)


def obvious(activations, labels, tau):
    """Everything by loops over neurons and over pairs of examples."""
    each = [{site: np.asarray(a)[..., i, :] for site, a in activations.items()} for i in range(len(labels))]
    found, every = {}, []
    for site in each[0]:
        if site.endswith(".post"):
            d = each[0][site].shape[-1]
            activity = [np.mean([abs(a[site][..., j]).mean() for a in each]) for j in range(d)]
            scores = [x / np.mean(activity) for x in activity]
            every += scores
            found[site, "dormant"] = sum(s <= tau for s in scores) / d
            found[site, "dead"] = sum(s == 0 for s in scores) / d
    found["", "dormant"], found["", "dead"] = (sum(s <= t for s in every) / len(every) for t in (tau, 0))
    last = "block.0.out" if "block.0.out" in each[0] else "hidden.1.post"
    phi = [a[last].reshape(-1, a[last].shape[-1])[-1] for a in each]  # last position
    pairs = [(i, j) for i, j in itertools.product(range(len(phi)), repeat=2) if labels[i] != labels[j]]
    found["", "coadaptation"] = np.mean([phi[i] @ phi[j] for i, j in pairs])
    norm = [np.linalg.norm(f) or 1 for f in phi]
    found["", "coadaptation_cosine"] = np.mean([phi[i] @ phi[j] / norm[i] / norm[j] for i, j in pairs])
    return found


@pytest.mark.parametrize("case", CASES)
def test_values_are_those_of_the_obvious_computation_and_features_are_what_the_head_reads(case):
    with jax.enable_x64(True):
        at, params = looking(*CASES[case])

        @quick_jit
        def read_and_show(params):
            snapshot = at(params)
            seen, network = snapshot.forward("train", 9), snapshot.network
            phi, norm = features(seen.activations), getattr(network, "norm", None)
            by_hand = network.head(phi if norm is None else norm(phi))
            return dict(Neurons(rows=9, tau=0.6).measure(snapshot)), seen, by_hand

        found, seen, by_hand = jax.device_get(read_and_show(params))
    np.testing.assert_allclose(by_hand, seen.logits, rtol=1e-9)
    expected = obvious(seen.activations, seen.labels, 0.6)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, err_msg=str(name))


@pytest.fixture(scope="module")
def network():
    """A compiled reading of a 2-hot network, and its params."""
    at, params = looking(MLP(hidden=(8, 6)), PAIRS)
    return quick_jit(lambda params: dict(READING.measure(at(params)))), params


def test_neurons_without_incoming_weights_are_dead(network):
    measure, params = network
    for dead in (0, 3, 8):
        weight = jnp.abs(params.layers[0].weight).at[:, :dead].set(0)
        moved = replaced(params, lambda p: p.layers[0].weight, weight)
        found = measure(replaced(moved, lambda p: p.layers[1].weight, jnp.abs(params.layers[1].weight)))
        assert found["hidden.0.post", "dead"] == found["hidden.0.post", "dormant"] == dead / 8
        assert found["", "dead"] == pytest.approx((dead + (6 if dead == 8 else 0)) / 14)  # without a first, no second


def test_a_neuron_is_dormant_where_it_is_weak_beside_its_layer():
    strong = np.abs(np.random.default_rng(0).normal(size=(50, 10))) + 1
    weak = strong * np.where(np.arange(10) < 4, 0.01, 1)
    s = np.asarray(score(jnp.asarray(weak)))
    assert (s <= 0.025).sum() == 4 and (s == 0).sum() == 0 and s.mean() == pytest.approx(1)
    assert (score(jnp.asarray(strong)) <= 0.025).sum() == 0
    assert np.allclose(score(jnp.asarray(1e6 * weak)), s)  # however large the layer is


def test_a_layer_of_zeros_is_dead():
    assert score(jnp.zeros((5, 4))).tolist() == [0, 0, 0, 0]


def test_permuting_and_scaling_a_layer_change_no_share(network):
    measure, params = network
    order = np.random.default_rng(1).permutation(8)
    weight = 5 * params.layers[0].weight[:, order]
    moved = replaced(params, lambda p: p.layers[0].weight, weight)
    moved = replaced(moved, lambda p: p.layers[1].weight, params.layers[1].weight[order])
    one, two = measure(params), measure(moved)
    for name in one:
        factor = 25 if name == ("", "coadaptation") else 1
        np.testing.assert_allclose(two[name], factor * one[name], rtol=1e-5)


def coadaptation(phi, labels):
    """The reading's pair of values for features that are simply given."""

    class Given:
        network = type("Given", (), {"all_sites": {"only.post": Site(len(phi[0]), "post")}})

        def forward(self, part, rows):
            activations = {"only.post": jnp.asarray(phi, jnp.float32)}
            return type("Pass", (), {"activations": activations, "labels": jnp.asarray(labels)})

    found = READING.measure(Given())
    return float(found["", "coadaptation"]), float(found["", "coadaptation_cosine"])


def test_coadaptation_of_known_features():
    labels = np.array([0, 0, 1, 1, 2])
    assert coadaptation(3 * np.eye(3)[labels], labels) == (0, 0)  # orthogonal between classes
    assert coadaptation(np.tile([3.0, 4.0], (5, 1)), labels) == pytest.approx((25, 1))  # all alike
    signs = np.where(labels[:2] == 0, 1, 1)[:, None] * np.array([[1.0], [-2.0]])
    assert coadaptation(signs, [0, 1]) == pytest.approx((-2, -1))


def test_coadaptation_of_one_class_cannot_be_told():
    assert np.isnan(coadaptation(np.eye(3), [1, 1, 1])).all()


def test_rotating_features_changes_no_coadaptation():
    rng = np.random.default_rng(0)
    phi, labels = rng.normal(size=(20, 6)), rng.integers(0, 3, 20)
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert coadaptation(phi @ rotation, labels) == pytest.approx(coadaptation(phi, labels), rel=1e-4)


def test_control_untrained_networks_have_few_dormant_neurons_and_independent_features_no_cosine():
    found = read(Neurons(), MLP(hidden=(64, 64)), PAIRS)
    assert found["", "dormant"] < 0.1
    rng = np.random.default_rng(0)
    assert abs(coadaptation(rng.normal(size=(200, 50)), rng.integers(0, 4, 200))[1]) < 0.01

"""Radii and radial energy; and what all readings of geometry over time have in common."""

import dataclasses
import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.coupling import Coupling
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.readings.motion import Motion, Updates
from anglewise.lab.readings.radii import Radii, RadiusQuantiles
from anglewise.lab.readings.theory import Theory
from anglewise.lab.tasks.modular import Modular
from anglewise.penalty import radial_penalty
from tests.support.programs import quick_jit
from tests.support.readings import BASE, CASES, looking, read
from tests.support.readings.geometry import hand, turned

READINGS = (RadiusQuantiles(), RadialEnergy(), Motion(), Updates(), Coupling(), Theory())
STRENGTH, TARGET = 0.3, 0.7
SPRUNG = (*BASE, RadialPenalty(strength=STRENGTH, target=TARGET))


def measured(snapshot, readings=READINGS):
    """All readings by (site, name)."""
    found = {}
    for reading in readings:
        values = dict(reading.measure(snapshot))
        assert not set(values) & set(found)
        found |= values
    return found


@functools.cache
def everything(case):
    """All readings in float64, activations, and per-sample gradients taken one sample at a time."""
    model, task = CASES[case]
    with jax.enable_x64(True):
        at, params = looking(model, task, SPRUNG)

        def seen(params):
            snapshot = at(params)
            pass_, other = snapshot.forward(), snapshot.forward("test")
            return measured(snapshot, READINGS[:2]), pass_.activations, other.activations, pass_.inputs, pass_.labels

        found, train, test, inputs, labels = jax.tree.map(np.asarray, quick_jit(seen)(params))
        network = at(params).network

        @quick_jit
        @jax.grad
        def gradient(nudges, weight, tokens, label):
            """Of one sample's loss, with the penalty times weight."""
            z, activations = network(tokens[None], tap=lambda s, h: h + nudges[s] if s in nudges else h)
            charged = sum(radial_penalty(activations[s], TARGET) for s in model.sites)
            return jax.nn.logsumexp(z[0]) - z[0, label] + weight * charged

        zeros = {s: np.zeros((*train[s].shape[:-2], 1, train[s].shape[-1])) for s in model.sites}
        each = [[gradient(zeros, w, x, y) for w in (0.0, STRENGTH)] for x, y in zip(inputs, labels, strict=True)]
    task_g, total_g = ({s: np.concatenate([e[k][s] for e in each], axis=-2) for s in model.sites} for k in (0, 1))
    return found, train, test, task_g, total_g


@pytest.mark.parametrize("case", ("mlp", "transformer"))
def test_radii_are_the_obvious_computation_on_train_and_test_points(case):
    found, train, test, *_ = everything(case)
    for site in CASES[case][0].sites:
        for prefix, activations in (("", train), ("test_", test)):
            h = activations[site].reshape(-1, activations[site].shape[-1])
            r = np.sqrt((h**2).sum(axis=1)) / math.sqrt(h.shape[1])
            for q in (5, 50, 95):
                assert found[site, f"{prefix}radius_q{q:02d}"] == pytest.approx(np.quantile(r, q / 100), rel=1e-12)
            if prefix:
                assert found[site, "test_radius"] == pytest.approx(r.mean(), rel=1e-12)
                assert found[site, "test_radius_std"] == pytest.approx(r.std(), rel=1e-12)


@pytest.mark.parametrize("case", ("mlp", "transformer"))
def test_radial_energy_is_the_obvious_computation(case):
    found, train, _, task_g, total_g = everything(case)
    for site in CASES[case][0].sites:
        h = train[site]
        d = h.shape[-1]
        for prefix, g in (("", task_g[site]), ("total_", total_g[site])):
            usable = np.abs(g).max(axis=-1) > 0  # of all positions only the last feels the loss in the last block
            along, square = (g * h).sum(axis=-1), (g * g).sum(axis=-1)
            energy = np.where(usable, d * along**2 / np.where(usable, square * (h * h).sum(axis=-1), 1), 0)
            some, weight = energy[usable], square[usable]
            assert found[site, f"{prefix}radial_energy"] == pytest.approx(some.mean(), rel=1e-9)
            assert found[site, f"{prefix}radial_energy_median"] == pytest.approx(np.median(some), rel=1e-9)
            of_means = np.sum(some * weight) / np.sum(weight)
            assert found[site, f"{prefix}radial_energy_of_means"] == pytest.approx(of_means, rel=1e-9)
            assert some.mean() != pytest.approx(np.median(some), rel=1e-3)  # control: they are two things
            if not prefix:
                assert found[site, "no_gradient"] == pytest.approx(1 - usable.mean(), abs=1e-12)
                rows, counts = energy.reshape(-1, h.shape[-2]).sum(0), usable.reshape(-1, h.shape[-2]).sum(0)
                k = len(rows)
                se = np.sqrt(k / (k - 1) * np.sum((rows - counts * some.mean()) ** 2)) / usable.sum()
                assert found[site, "radial_energy_se"] == pytest.approx(se, rel=1e-9)


def test_the_tasks_energy_does_not_move_under_a_huge_penalty_and_the_totals_does():
    plain, leaned = (read(RadialEnergy(), *CASES["mlp"], m) for m in (BASE, (*BASE, RadialPenalty(strength=1e6))))
    assert set(plain) == set(leaned)
    for (site, name), value in plain.items():
        if name.startswith("total_"):
            assert value == plain[site, name.removeprefix("total_")]  # without a penalty they are one
            assert leaned[site, name] != pytest.approx(value, rel=0.05)
        else:
            assert leaned[site, name] == value
    # the last layer's penalty is radial there, and swamps the rest
    assert leaned["hidden.1.pre", "total_radial_energy"] == pytest.approx(6, rel=1e-4)


@functools.cache
def in_coordinates():
    """All readings of one network: as it is, turned, stretched, and with a hidden layer's neurons in another order."""
    with jax.enable_x64(True):
        model, task = CASES["mlp"]
        at, params = looking(model, task, SPRUNG)
        rng = np.random.default_rng(1)
        widths = dict(zip(model.sites, model.hidden, strict=True))
        plain = {site: np.eye(d) for site, d in widths.items()}
        turns = {site: np.linalg.qr(rng.normal(size=(d, d)))[0] for site, d in widths.items()}
        stretches = {site: np.diag(np.arange(1.0, d + 1)) for site, d in widths.items()}
        leaves = lambda p: (p.layers[0].weight, p.layers[0].bias, p.layers[1].weight)  # noqa: E731

        @quick_jit
        def view(params, turns, order):
            def shuffled(params):
                w, b, v = leaves(params)
                return eqx.tree_at(leaves, params, (w[:, order], b[order], v[order]))

            snapshot = at(shuffled(params))
            past = tuple(e._replace(params=shuffled(e.params)) for e in snapshot.earlier)
            return measured(turned(dataclasses.replace(snapshot, earlier=past), turns))

        order = np.arange(model.hidden[0])
        views = {
            "as it is": (plain, order),
            "turned": (turns, order),
            "stretched": (stretches, order),
            "permuted": (plain, rng.permutation(order)),
        }
        return {name: jax.tree.map(float, view(params, *how)) for name, how in views.items()}


@pytest.mark.parametrize("view", ("turned", "permuted"))
def test_no_reading_of_geometry_depends_on_the_coordinates_or_the_order_of_neurons(view):
    views = in_coordinates()
    for key, value in views["as it is"].items():
        assert views[view][key] == pytest.approx(value, rel=1e-7, abs=1e-9, nan_ok=True), key


def test_control_a_stretched_space_is_another_geometry():
    views = in_coordinates()
    known = {key: value for key, value in views["as it is"].items() if not math.isnan(value)}
    same = {key[1] for key, value in known.items() if views["stretched"][key] == pytest.approx(value, rel=1e-4)}
    # what knows of activations only <h, g> cannot tell
    assert same <= {"rho", "outward_force", "euler_residual", "no_gradient", "inside", "balance_radius_here"}


def test_readings_of_a_batch_of_networks_are_those_of_each():
    model, task = MLP(hidden=(16, 6), embedding=4, bias=True), CASES["mlp"][1]
    at, params = looking(model, task, SPRUNG)
    other = looking(model, task, SPRUNG, seed=1)[1]
    stacked = jax.tree.map(lambda *w: jnp.stack(w), params, other)
    one = quick_jit(lambda p: measured(at(p)))
    together = quick_jit(jax.vmap(lambda p: measured(at(p))))(stacked)
    for k, network in enumerate((params, other)):
        for key, value in one(network).items():
            assert value.dtype == jnp.float32, key
            np.testing.assert_allclose(together[key][k], value, rtol=3e-3, atol=3e-5, err_msg=str(key))


H = np.array([[0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [1.0, -1.0, 0.0]], np.float32)
"""The gradient of every row is a multiple of (-1, 1, 0): parallel, orthogonal, orthogonal, parallel."""


def energy_of(h, felt, **fields):
    """Radial energy where the logits are the activations and row i's loss counts felt[i]."""
    felt = jnp.asarray(felt, jnp.float32)

    def loss(z, labels):
        return felt[labels] * (jax.nn.logsumexp(z[:, :2], axis=-1) - z[:, 0])

    return hand(RadialEnergy(**fields), np.float32(h), labels=np.arange(len(felt)), loss=loss)


def test_a_row_without_gradient_is_counted_and_left_out_never_taken_as_0():
    whole = energy_of(H, [1.0, 1.0, 1.0, 1.0])
    assert whole["radial_energy"] == pytest.approx(6 / 4, rel=1e-5) and whole["no_gradient"] == 0
    found = energy_of(H, [1.0, 0.0, 1.0, 1.0])
    assert found["no_gradient"] == 0.25
    assert found["radial_energy"] == pytest.approx(6 / 3, rel=1e-5)
    assert found["radial_energy_median"] == pytest.approx(3, rel=1e-5)
    tiny = energy_of(H, [1.0, 1e-9, 1.0, 1.0])
    assert tiny["no_gradient"] == 0.25 and tiny["radial_energy"] == pytest.approx(2, rel=1e-5)
    assert energy_of(H, [1.0, 1e-9, 1.0, 1.0], relative=1e-12)["no_gradient"] == 0  # control


def test_a_vector_of_length_0_has_no_radial_share():
    found = energy_of(np.concatenate([H[:2], np.zeros((2, 3))]), [1.0] * 4)
    assert found["no_gradient"] == 0.5 and found["radial_energy"] == pytest.approx(1.5, rel=1e-5)


def test_where_no_row_has_a_gradient_the_energy_is_nan():
    found = energy_of(H, [0.0] * 4)
    assert found.pop("no_gradient") == 1 and all(map(math.isnan, found.values()))


def test_one_row_has_no_standard_error():
    assert math.isnan(energy_of(H, [0.0, 1.0, 0.0, 0.0])["radial_energy_se"])
    assert energy_of(H, [1.0, 1.0, 0.0, 0.0])["radial_energy_se"] == pytest.approx(1.5, rel=1e-5)


def test_the_ratio_of_means_weighs_by_the_squared_gradient():
    found = energy_of(H[:2], [1.0, 1e-3])  # parallel and long, orthogonal and short
    assert found["radial_energy"] == pytest.approx(1.5, rel=1e-4)
    assert found["radial_energy_of_means"] == pytest.approx(3, rel=1e-4)


def test_the_energy_of_fitted_samples_survives_their_tiny_gradients():
    h = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    plain, tiny = energy_of(h, [1e-3] * 50), energy_of(h, [1e-25] * 50)
    assert tiny["radial_energy"] == pytest.approx(plain["radial_energy"], rel=1e-2)
    assert tiny["radial_energy_of_means"] == pytest.approx(plain["radial_energy_of_means"], rel=1e-2)
    assert tiny["no_gradient"] == 0


def test_isotropic_gradients_have_energy_1_with_the_standard_error_of_chi_square():
    rng = np.random.default_rng(0)
    h, g = rng.normal(size=(2, 500, 32)).astype(np.float32)
    found = hand(RadialEnergy(), h, labels=np.arange(500), loss=lambda z, y: jnp.sum(z * jnp.asarray(g)[y], axis=-1))
    assert abs(found["radial_energy"] - 1) < 3 * found["radial_energy_se"]
    assert found["radial_energy_se"] == pytest.approx(math.sqrt(2 / 500), rel=0.2)
    assert found["radial_energy_median"] == pytest.approx(0.45, abs=0.1)


def test_repeating_every_vector_at_another_position_makes_no_mean_surer():
    h = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    c = np.arange(6, dtype=np.float32)
    once = hand(RadialEnergy(), h, loss=lambda z, y: z @ c)
    twice = hand(RadialEnergy(), np.stack([h, h]), loss=lambda z, y: z @ jnp.tile(c, 2))
    assert twice["radial_energy"] == pytest.approx(once["radial_energy"], rel=1e-5)
    assert twice["radial_energy_se"] == pytest.approx(once["radial_energy_se"], rel=1e-5)


def test_control_an_untrained_networks_gradient_is_nearly_isotropic():
    model, task = MLP(hidden=(64, 64), embedding=32), Modular(p=23, train=0.5)
    at, params = looking(model, task)
    found = quick_jit(lambda p: RadialEnergy().measure(at(p)))(
        at(params).earlier[1].params
    )  # drawn by the model itself
    for site in model.sites:
        assert 0.5 < float(found[site, "radial_energy"]) < 2  # of 64 possible
        assert float(found[site, "no_gradient"]) == 0


def test_radii_are_means_and_spreads_in_units_of_root_d():
    h = np.random.default_rng(0).normal(size=(3, 20, 16)).astype(np.float32)
    found = quick_jit(Radii().read)({"a": h, "b": 2 * h})
    r = np.linalg.norm(h.astype(np.float64), axis=-1) / 4
    assert set(found) == {(site, name) for site in "ab" for name in ("radius", "radius_std")}
    assert float(found["a", "radius"]) == pytest.approx(r.mean(), rel=1e-6)
    assert float(found["a", "radius_std"]) == pytest.approx(r.std(), rel=1e-5)
    assert float(found["b", "radius"]) == pytest.approx(2 * r.mean(), rel=1e-6)

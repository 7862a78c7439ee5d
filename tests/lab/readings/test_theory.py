import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.readings.theory import Theory, balance_radius
from anglewise.penalty import radial_penalty
from tests.support.programs import quick_jit
from tests.support.readings import BASE, CASES, PAIRS, looking, read
from tests.support.readings.geometry import hand, hand_snapshot

NETWORKS = {
    "bias-free ReLU": CASES["2-hot"],
    "deeper, embedded": (MLP(hidden=(8, 7, 6), embedding=4), PAIRS),
    "biases": CASES["mlp"],
    "GELU": (MLP(hidden=(8, 6), activation="gelu"), PAIRS),
    "Transformer": (Transformer(layers=1, width=8, heads=2), CASES["transformer"][1]),
}


@functools.cache
def residuals(name):
    model, task = NETWORKS[name]
    with jax.enable_x64(True):
        found = read(Theory(), model, task)
    return [found[site, "euler_residual"] for site in model.sites]


@pytest.mark.parametrize("name", ("bias-free ReLU", "deeper, embedded"))
def test_eulers_identity_holds_at_every_hidden_layer_of_a_bias_free_relu_network(name):
    assert max(residuals(name)) < 1e-12


@pytest.mark.parametrize("name", ("biases", "GELU", "Transformer"))
def test_biases_gelu_and_residual_streams_break_eulers_identity(name):
    assert min(residuals(name)) > 0.01


@pytest.mark.parametrize("case", ("mlp", "transformer"))
def test_theory_is_the_obvious_computation(case):
    model, task = CASES[case]
    strength, target = 0.3, 0.6
    with jax.enable_x64(True):
        at, params = looking(model, task, (*BASE, RadialPenalty(strength=strength, target=target)))

        @quick_jit
        def seen(params):
            snapshot = at(params)
            pass_ = snapshot.forward()
            own = {s: pass_.activations[s] for s in snapshot.sites}
            return Theory().measure(snapshot), pass_.logits, pass_.labels, own, snapshot.gradients("task")

        found, z, labels, activations, gradients = jax.tree.map(np.asarray, seen(params))
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    rho = z[np.arange(len(z)), labels] - (p * z).sum(1)
    assert found["", "rho"] == pytest.approx(rho.mean(), rel=1e-9)

    def balance(force):
        square = target**2 / 4 + force / (2 * strength)
        return target / 2 + math.sqrt(square) if square >= 0 else math.nan

    for site in model.sites:
        h, g = activations[site], gradients[site]
        d = h.shape[-1]
        force = -(h * g).sum(-1).reshape(-1, len(z)).sum(0)
        r = np.sqrt((h * h).sum(-1))
        expected = {
            "outward_force": force.mean(),
            "euler_residual": np.abs(force - rho).mean() / np.abs(rho).mean(),
            "inside": (r < target * math.sqrt(d)).mean(),
            "balance_radius": balance(rho.mean()),
            "balance_radius_here": balance(force.mean()),
        }
        for name, value in expected.items():
            assert found[site, name] == pytest.approx(value, rel=1e-8, abs=1e-9, nan_ok=True), name
    # no other site lies behind the last
    positions = math.prod(h.shape[:-2])
    push = -2 * strength / d * (r - target * math.sqrt(d)).mean() / positions
    assert found[model.sites[-1], "penalty_push"] == pytest.approx(push, rel=1e-6)


def test_the_force_of_a_loss_that_is_no_cross_entropy_is_its_own():
    h = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    found = hand(Theory(), h, loss=lambda z, y: -0.3 * jnp.log(jnp.sum(z * z, axis=-1)))
    assert found["rho"] == pytest.approx(0.6, rel=1e-5) and found["outward_force"] == pytest.approx(0.6, rel=1e-5)
    assert found["euler_residual"] < 1e-5


def test_the_balance_radius_is_the_root_and_has_the_papers_values():
    for strength, radius in ((0.001, 5.5), (0.05, 1.37), (1.0, 1.02)):
        assert float(balance_radius(jnp.asarray(0.05), strength, 1.0)) == pytest.approx(radius, abs=0.025)
    for rho in (-0.01, 0.0, 0.4):
        for target in (0.0, 0.5, 2.0):
            x = float(balance_radius(jnp.asarray(rho), 0.1, target))
            if rho < 0 and target == 0:
                assert math.isnan(x)
            else:
                assert 2 * 0.1 * (x - target) * x == pytest.approx(rho, abs=1e-6)
    assert float(balance_radius(jnp.asarray(0.0), 0.1, 0.7)) == pytest.approx(0.7)
    assert float(balance_radius(jnp.asarray(0.1), jnp.asarray(0.0), 0.7)) == math.inf  # nothing holds it


@pytest.mark.parametrize("positions", ((), (2,)))
@pytest.mark.parametrize("target", (0.5, 1.0))
def test_free_vectors_under_gradient_flow_with_constant_rho_come_to_rest_at_the_balance_radius(target, positions):
    rho, strength, d, n = 0.4, 0.3, 6, 12
    h = np.random.default_rng(0).normal(size=(*positions, n, d)).astype(np.float32)

    def loss(z, labels):  # homogeneous: -<z, dl/dz> = rho for every position
        return -rho / 2 * jnp.sum(jnp.log(jnp.sum(z.reshape(len(labels), -1, d) ** 2, axis=-1)), axis=-1)

    def snapshot(h):
        return hand_snapshot(
            h,
            loss=loss,
            penalty=lambda activations, params: strength * radial_penalty(activations["a"], target),
            radial_terms={"a": (strength, target)},
        )

    @quick_jit
    def flow(h):
        def objective(h):
            now = snapshot(h)
            return now.objective(now.params, *now.rows(), "total")

        def step(h, _):
            return h - 2.0 * h.size / d * jax.grad(objective)(h), None

        return jax.lax.scan(step, h, length=300)[0]

    rest = flow(h)
    found = jax.tree.map(float, quick_jit(lambda h: dict(Theory().measure(snapshot(h))))(rest))
    measured = np.linalg.norm(np.asarray(rest), axis=-1) / math.sqrt(d)
    assert found["a", "balance_radius"] == pytest.approx(measured.mean(), rel=1e-4) and measured.std() < 1e-4
    assert found["a", "balance_radius_here"] == pytest.approx(measured.mean(), rel=1e-4)
    assert measured.mean() > target + 0.1  # control: pushed out of the target radius
    assert found["a", "inside"] == 0 and found["a", "penalty_push"] < 0
    before = np.linalg.norm(h, axis=-1) / math.sqrt(d)
    assert before.std() > 0.1


@functools.cache
def inflation():
    """Theory of a 2-hot network as it is drawn by default, and with its weights a hundred times as large."""
    model, task = MLP(hidden=(32, 32)), CASES["2-hot"][1]
    at, params = looking(model, task, (*BASE, RadialPenalty(strength=0.05, target=1.0)))
    fresh = at(params).earlier[1].params  # drawn by the model itself
    measure = quick_jit(lambda p: Theory().measure(at(p)))
    return model.sites, measure(fresh), measure(jax.tree.map(lambda w: 100 * w, fresh))


def test_at_a_default_initialisation_the_penalty_inflates_before_it_suppresses():
    sites, fresh, large = inflation()
    for site in sites:
        assert float(fresh[site, "inside"]) == 1 and float(fresh[site, "penalty_push"]) > 0
        assert float(large[site, "inside"]) == 0 and float(large[site, "penalty_push"]) < 0  # control


def test_an_untrained_network_feels_hardly_any_outward_force_and_a_fitted_one_does():
    _, fresh, _ = inflation()
    assert abs(float(fresh["", "rho"])) < 0.01
    trained = read(Theory(), *CASES["2-hot"], trained=40)
    for site in CASES["2-hot"][0].sites:
        assert trained[site, "outward_force"] == pytest.approx(float(trained["", "rho"]), rel=1e-3)
    assert float(trained["", "rho"]) > 0.1


def test_without_a_spring_nothing_is_said_of_balance():
    plain = read(Theory(), *CASES["2-hot"])
    assert {name for _, name in plain} == {"rho", "outward_force", "euler_residual"}
    one = read(Theory(), *CASES["2-hot"], (*BASE, RadialPenalty(sites=("hidden.0.pre",))))
    assert {site for site, name in one if name == "inside"} == {"hidden.0.pre"}


def test_a_spring_at_another_site_than_the_models_own_has_a_balance_radius_too():
    found = read(Theory(), *CASES["2-hot"], (*BASE, RadialPenalty(target=0.0, sites=("hidden.1.post",))), trained=100)
    names = {name for site, name in found if site == "hidden.1.post"}
    assert names == {"balance_radius", "inside"} and found["hidden.1.post", "inside"] == 0
    rho = float(found["", "rho"])
    assert found["hidden.1.post", "balance_radius"] == pytest.approx(math.sqrt(rho / (2 * 0.05)), rel=1e-4)

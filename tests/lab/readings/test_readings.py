import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise import effective_rank, stable_rank
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.readings.radii import Radii, RadiusQuantiles
from anglewise.lab.readings.spectrum import Spectrum
from anglewise.lab.tasks.modular import Modular

quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
PAIRS, SEQUENCES = Modular(p=5, train=0.5), Modular(p=3, train=0.5, form="a b =")
CASES = {
    "mlp": (MLP(hidden=(8, 6), embedding=4, bias=True), PAIRS),
    "transformer": (Transformer(layers=1, width=8, heads=2, positions="all"), SEQUENCES),
}
READINGS = (RadialEnergy(), RadiusQuantiles(), Spectrum(rows=7))


def drawn(model, task, seed=0):
    """A network with weights of no particular law, in the arithmetic of the moment."""
    rng = np.random.default_rng(seed)
    shapes = eqx.filter_eval_shape(model.init, task, jax.random.key(0))
    is_weight = lambda x: isinstance(x, jax.ShapeDtypeStruct)  # noqa: E731
    return jax.tree.map(lambda x: jnp.asarray(0.5 * rng.normal(size=x.shape)) if is_weight(x) else x, shapes)


def measured(model, task):
    """All readings by (site, name), and the activations."""
    inputs, labels = task.table()

    def measure(network):
        found = {}
        for reading in READINGS:
            found |= reading.measure(network, model.sites, inputs, labels)
        return found, network(inputs)[1]

    return measure


def sample_gradient(site):
    @quick_jit
    @jax.grad
    def gradient(nudge, network, tokens, label):
        z, _ = network(tokens[None], tap=lambda name, h: h + nudge if name == site else h)
        return jax.nn.logsumexp(z[0]) - z[0, label]

    return gradient


@pytest.mark.parametrize("case", CASES)
def test_every_reading_equals_the_obvious_computation(case):
    model, task = CASES[case]
    inputs, labels = task.table()
    with jax.enable_x64(True):
        network = drawn(model, task)
        found, activations = quick_jit(measured(model, task))(network)
        for site in model.sites:
            h = np.asarray(activations[site])
            d = h.shape[-1]
            rows = h.reshape(-1, d)
            r = np.sqrt((rows**2).sum(axis=1)) / math.sqrt(d)
            for q in (5, 50, 95):
                assert float(found[site, f"radius_q{q:02d}"]) == pytest.approx(np.quantile(r, q / 100), rel=1e-12)
            first = h[..., :7, :].reshape(-1, d)
            sigma = np.linalg.svd(first, compute_uv=False)
            assert float(found[site, "sigma_max"]) == pytest.approx(sigma[0], rel=1e-10)
            assert float(found[site, "stable_rank"]) == pytest.approx((first**2).sum() / sigma[0] ** 2, rel=1e-10)
            assert float(found[site, "stable_rank"]) == pytest.approx(float(stable_rank(first)), rel=1e-10)
            assert float(found[site, "effective_rank"]) == pytest.approx(float(effective_rank(first)), rel=1e-9)

            gradient = sample_gradient(site)
            zero = np.zeros((*h.shape[:-2], 1, d))
            g = np.concatenate([gradient(zero, network, x, y) for x, y in zip(inputs, labels, strict=True)], axis=-2)
            usable = np.abs(g).max(axis=-1) > 0  # with all positions, only the last feels the loss in the last block
            along, square = (g * h).sum(axis=-1)[usable], (g * g).sum(axis=-1)[usable]
            energy = d * along**2 / (square * (h * h).sum(axis=-1)[usable])
            assert float(found[site, "radial_energy"]) == pytest.approx(energy.mean(), rel=1e-9)
            assert float(found[site, "radial_energy_median"]) == pytest.approx(np.median(energy), rel=1e-9)
            of_means = np.sum(energy * square) / np.sum(square)
            assert float(found[site, "radial_energy_of_means"]) == pytest.approx(of_means, rel=1e-9)
            assert energy.mean() != pytest.approx(np.median(energy), rel=1e-3)  # control: they are two things
            assert float(found[site, "no_gradient"]) == pytest.approx(1 - usable.mean(), abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_readings_of_a_batch_of_networks_are_those_of_each(case):
    model, task = CASES[case]
    networks = [drawn(model, task, k) for k in (0, 1)]
    stacked = jax.tree.map(lambda *w: jnp.stack(w), *networks)
    measure = measured(model, task)
    together, _ = quick_jit(jax.vmap(measure))(stacked)
    for k, network in enumerate(networks):
        for key, value in quick_jit(measure)(network)[0].items():
            np.testing.assert_allclose(together[key][k], value, rtol=2e-4, atol=1e-5, err_msg=str(key))


class Hand:
    """A network whose only activation is given, and whose logits feel only some of its rows."""

    def __init__(self, h, felt):
        self.h, self.felt = jnp.asarray(h), jnp.asarray(felt)

    def __call__(self, inputs, *, tap=None, key=None):
        h = self.h if tap is None else tap("a", self.h)
        return h[:, :2] * self.felt[:, None], {"a": h}


def energy_of(h, felt, **fields):
    inputs, labels = np.zeros((len(h), 2), np.int32), np.zeros(len(h), np.int32)
    found = quick_jit(lambda h, felt: RadialEnergy(**fields).measure(Hand(h, felt), ("a",), inputs, labels))(
        np.float32(h), np.float32(felt)
    )
    return {name: float(value) for (_, name), value in found.items()}


H = np.array([[0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [1.0, -1.0, 0.0]], np.float32)
"""The gradient of every row is a multiple of (-1, 1, 0): parallel, orthogonal, orthogonal, parallel."""


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


def test_where_no_row_has_a_gradient_the_energy_is_nan():
    found = energy_of(H, [0.0] * 4)
    assert found.pop("no_gradient") == 1 and all(map(math.isnan, found.values()))


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


def test_radii_are_means_and_spreads_in_units_of_root_d():
    h = np.random.default_rng(0).normal(size=(3, 20, 16)).astype(np.float32)
    found = quick_jit(Radii().read)({"a": h, "b": 2 * h})
    r = np.linalg.norm(h.astype(np.float64), axis=-1) / 4
    assert set(found) == {(site, name) for site in "ab" for name in ("radius", "radius_std")}
    assert float(found["a", "radius"]) == pytest.approx(r.mean(), rel=1e-6)
    assert float(found["a", "radius_std"]) == pytest.approx(r.std(), rel=1e-5)
    assert float(found["b", "radius"]) == pytest.approx(2 * r.mean(), rel=1e-6)

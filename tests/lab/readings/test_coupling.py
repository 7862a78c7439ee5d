import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.readings.coupling import Coupling, relative_change, spread
from tests.support.programs import quick_jit
from tests.support.readings import CASES, looking
from tests.support.readings.geometry import hand

FACTORS = (0.5, 1.0, 2.0, 4.0)
RNG = np.random.default_rng(0)
H = RNG.normal(size=(40, 6)).astype(np.float32)


def angular(g, h):
    """What of every g turns h, as rows."""
    g, h = (x.reshape(-1, x.shape[-1]) for x in (g, h))
    return g - ((g * h).sum(1) / (h * h).sum(1))[:, None] * h


def isotropy(g):
    """Participation ratio of the eigenvalues of the uncentred covariance, over d."""
    eigenvalues = np.linalg.eigvalsh(g.T @ g / len(g))
    return eigenvalues.sum() ** 2 / (eigenvalues**2).sum() / g.shape[1]


@pytest.mark.parametrize("case", ("mlp", "transformer"))
def test_coupling_is_the_obvious_computation(case):
    model, task = CASES[case]
    with jax.enable_x64(True):
        at, params = looking(model, task)
        snapshot = at(params)
        found = quick_jit(lambda p: Coupling().measure(at(p)))(params)
        inputs, labels = snapshot.rows()
        activations = snapshot.forward().activations

        @quick_jit
        def gradients(factors):
            """Of the summed loss, at every site whose radii are multiplied; the others' factors are 1."""

            def loss(nudges):
                z, _ = snapshot.network(inputs, tap=lambda s, h: factors[s] * h + nudges[s] if s in nudges else h)
                return jnp.sum(jax.nn.logsumexp(z, axis=-1) - jnp.take_along_axis(z, labels[:, None], axis=-1)[:, 0])

            return jax.grad(loss)({s: jnp.zeros_like(activations[s]) for s in model.sites})

        for site in model.sites:
            at_factor = lambda f, site=site: angular(  # noqa: E731
                np.asarray(gradients({s: f if s == site else 1.0 for s in model.sites})[site]),
                np.asarray(activations[site]),
            )
            for factor in FACTORS:
                g = at_factor(factor)
                size = math.sqrt((g**2).sum(1).mean())
                assert float(found[site, f"angular_gradient_x{factor:g}"]) == pytest.approx(size, rel=1e-9)
                assert float(found[site, f"angular_isotropy_x{factor:g}"]) == pytest.approx(isotropy(g), rel=1e-9)
            g, e = at_factor(1.0), 1e-5
            change = (at_factor(math.exp(e)) - at_factor(math.exp(-e))) / (2 * e)
            coupling = np.linalg.norm(change) / np.linalg.norm(g)
            assert float(found[site, "angular_coupling"]) == pytest.approx(coupling, rel=1e-6)
            elasticity = (change * g).sum() / (g * g).sum()
            assert float(found[site, "angular_elasticity"]) == pytest.approx(elasticity, rel=1e-5, abs=1e-7)
            assert abs(elasticity) < coupling


def values(found, what):
    return [found[f"angular_{what}_x{f:g}"] for f in FACTORS]


def test_under_a_linear_loss_the_radius_changes_nothing():
    c = np.arange(6, dtype=np.float32)
    found = hand(Coupling(), H, loss=lambda z, y: z @ c)
    g = angular(np.tile(c, (40, 1)), H)
    assert values(found, "gradient") == pytest.approx([math.sqrt((g**2).sum(1).mean())] * 4, rel=1e-5)
    assert values(found, "isotropy") == pytest.approx([isotropy(g)] * 4, rel=1e-4)
    assert found["angular_coupling"] == found["angular_elasticity"] == 0


def test_under_a_quadratic_loss_of_a_linear_head_the_angular_gradient_grows_with_the_radius():
    head = RNG.normal(size=(6, 4)).astype(np.float32)
    found = hand(Coupling(), H, head=head, loss=lambda z, y: jnp.sum(z * z, axis=-1) / 2)
    g = angular(H @ head @ head.T, H)
    size = math.sqrt((g**2).sum(1).mean())
    assert values(found, "gradient") == pytest.approx([f * size for f in FACTORS], rel=1e-4)
    assert values(found, "isotropy") == pytest.approx([isotropy(g)] * 4, rel=1e-4)
    assert found["angular_elasticity"] == pytest.approx(1, rel=1e-5)
    assert found["angular_coupling"] == pytest.approx(1, rel=1e-5)  # a mere change of speed


def test_an_affine_quadratic_loss_turns_the_angular_flow_as_it_rescales():
    head, t = (RNG.normal(size=shape).astype(np.float32) for shape in ((6, 4), (4,)))
    found = hand(Coupling(), H, head=head, loss=lambda z, y: jnp.sum((z - t) ** 2, axis=-1) / 2)
    linear, constant = angular(H @ head @ head.T, H), angular(np.tile(t @ head.T, (40, 1)), H)
    g = linear - constant
    assert found["angular_coupling"] == pytest.approx(np.linalg.norm(linear) / np.linalg.norm(g), rel=1e-4)
    assert found["angular_elasticity"] == pytest.approx((linear * g).sum() / (g * g).sum(), rel=1e-4)
    for factor, size in zip(FACTORS, values(found, "gradient"), strict=True):
        assert size == pytest.approx(np.linalg.norm(factor * linear - constant) / math.sqrt(40), rel=1e-4)


@pytest.mark.parametrize("margin", (0.5, 4.0, 9.0))
def test_of_two_classes_the_softmax_saturates_with_the_margin(margin):
    # z = (w h, -w h): the angular gradient is -2 (1 - p) P w, and d ln(1 - p) / d ln r = -m p with m = z_0 - z_1
    h, w = np.array([[1.0, 1.0]], np.float32), np.array([margin / 2, 0.0], np.float32)
    found = hand(Coupling(), h, head=np.stack([w, -w], axis=1))
    p = 1 / (1 + math.exp(-margin))
    assert found["angular_elasticity"] == pytest.approx(-margin * p, rel=1e-3)
    assert found["angular_coupling"] == pytest.approx(margin * p, rel=1e-3)  # a single direction cannot turn
    assert found["angular_isotropy_x2"] == pytest.approx(1 / 2, rel=1e-5)
    size = 2 * (1 - p) * np.linalg.norm(angular(w[None], h))
    assert found["angular_gradient_x1"] == pytest.approx(size, rel=1e-3)


def test_isotropy_is_1_over_d_for_one_direction_and_the_samples_ceiling_for_isotropic_ones():
    line = jnp.asarray(np.outer(RNG.normal(size=50), [1.0, 2.0, 0.0, 0.0]), jnp.float32)
    assert float(spread(line)[1]) == pytest.approx(1 / 4, rel=1e-5)
    for n, d in ((128, 64), (4000, 10)):
        g = jnp.asarray(RNG.normal(size=(n, d)), jnp.float32)
        assert float(spread(g)[1]) == pytest.approx(n / (n + d + 1), rel=0.03)
    axes = jnp.eye(5)
    assert float(spread(axes)[1]) == pytest.approx(1) and float(spread(axes)[0]) == 1


def test_the_tiny_gradients_of_a_fitted_network_are_not_lost():
    g, change = jnp.asarray(RNG.normal(size=(2, 30, 5)), jnp.float32)
    for scale in (1e-30, 1e25):
        size, even = spread(scale * g)
        assert float(size) == pytest.approx(scale * float(spread(g)[0]), rel=1e-4)
        assert float(even) == pytest.approx(float(spread(g)[1]), rel=1e-4)
        for a, b in zip(relative_change(scale * g, scale * change), relative_change(g, change), strict=True):
            assert float(a) == pytest.approx(float(b), rel=1e-4)


def test_where_nothing_turns_there_is_no_isotropy_and_no_coupling():
    found = hand(Coupling(), H, loss=lambda z, y: 0 * jnp.sum(z, axis=-1))
    assert values(found, "gradient") == [0] * 4
    assert all(map(math.isnan, [*values(found, "isotropy"), found["angular_coupling"], found["angular_elasticity"]]))


def test_factors_are_named_as_they_are_given():
    found = hand(Coupling(factors=(0.25, 3.0)), H)
    assert {name for name in found if "_x" in name} == {
        f"angular_{what}_x{f}" for what in ("gradient", "isotropy") for f in ("0.25", "3")
    }


def test_control_an_untrained_networks_angular_gradient_hardly_feels_the_radius():
    # at small logits the softmax is flat whatever the radius; correct and large ones saturate it
    labels = np.argmax(H, axis=1)
    small, fitted = hand(Coupling(), 0.01 * H, labels=labels), hand(Coupling(), 6 * H, labels=labels)
    assert abs(small["angular_elasticity"]) < 0.02 and small["angular_coupling"] < 0.02
    assert fitted["angular_elasticity"] < -0.5

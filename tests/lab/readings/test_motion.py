import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.readings.energy import RadialEnergy
from anglewise.lab.readings.motion import Motion, Updates, displacement_means, turning_cosine
from anglewise.penalty import radial_penalty
from tests.support.programs import quick_jit
from tests.support.readings import BASE, CASES, looking, read
from tests.support.readings.geometry import hand

SPRUNG = (*BASE, RadialPenalty(strength=0.3, target=0.7))
RNG = np.random.default_rng(0)
H = RNG.normal(size=(30, 7))


def moved(before, after):
    """How far vectors went, by name, in float64."""
    with jax.enable_x64(True):
        return {name: float(value) for name, value in quick_jit(displacement_means)(before, after).items()}


def energy(v, h):
    """d times the radial share of every v at h."""
    along = (v * h).sum(-1) ** 2 / ((v * v).sum(-1) * (h * h).sum(-1))
    return h.shape[-1] * along


@functools.cache
def both(case):
    """Motion and Updates in float64, and the activations that they saw: then, before and now, and after small steps."""
    model, task = CASES[case]
    with jax.enable_x64(True):
        at, params = looking(model, task, SPRUNG)

        snapshot = at(params)
        inputs, labels = snapshot.rows()

        @quick_jit
        def seen(params):
            snapshot = at(params)
            changes = {"update": jax.tree.map(jnp.subtract, snapshot.after(), params)}
            for of in ("task", "penalty"):
                changes[f"{of}_step"] = jax.grad(snapshot.objective)(params, inputs, labels, of)
            return {**Motion().measure(snapshot), **Updates().measure(snapshot)}, changes

        out = quick_jit(lambda p: {site: snapshot.at(p)(inputs)[1][site] for site in snapshot.sites})
        found, changes = seen(params)

        def effect(change, e=1e-6):
            along = lambda f: out(jax.tree.map(lambda w, c: w + f * c, params, change))  # noqa: E731
            return jax.tree.map(lambda x, y: (x - y) / (2 * e), along(e), along(-e))

        history = [out(p) for p in (snapshot.earlier[1].params, snapshot.earlier[0].params, params)]
        effects = {name: effect(change) for name, change in changes.items()}
        return jax.tree.map(np.asarray, (found, history, effects))


@pytest.mark.parametrize("case", ("mlp", "transformer"))
def test_motion_is_the_obvious_computation(case):
    found, (first, last, now), _ = both(case)
    for site in CASES[case][0].sites:
        a, b, c = (x[site].reshape(-1, x[site].shape[-1]) for x in (first, last, now))
        d = a.shape[-1]
        r, s, t = (np.sqrt((x * x).sum(1)) for x in (a, b, c))
        angle = np.arccos((b * c).sum(1) / (s * t))
        chord2 = 2 * s * t * (1 - np.cos(angle))
        step2 = ((c - b) ** 2).sum(1)
        np.testing.assert_allclose((t - s) ** 2 + chord2, step2, rtol=1e-12)  # the split is exact
        expected = {
            "radial_displacement": np.sqrt(((t - s) ** 2).mean() / d),
            "angular_displacement": np.sqrt(chord2.mean() / d),
            "displacement_radial_energy": (d * (t - s) ** 2 / step2).mean(),
            "relative_radial_displacement": (np.abs(t - s) / np.sqrt(s * t)).mean(),
            "angle": angle.mean(),
            "angular_speed": angle.mean() / 5,  # the looks lie five steps apart
        }
        u, v, w = a / r[:, None], b / s[:, None], c / t[:, None]
        arriving, leaving = -(u - (u * v).sum(1)[:, None] * v), w - (w * v).sum(1)[:, None] * v
        cosine = (arriving * leaving).sum(1) / np.sqrt((arriving**2).sum(1) * (leaving**2).sum(1))
        expected["angular_cosine"] = cosine.mean()
        for name, value in expected.items():
            assert found[site, name] == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize("case", ("mlp", "transformer"))
def test_first_order_effects_are_those_of_finite_differences(case):
    found, (_, _, now), effects = both(case)
    for site in CASES[case][0].sites:
        for name in ("update", "task_step", "penalty_step"):
            v, h = effects[name][site], now[site]
            told = (v * v).sum(-1) > 1e-18
            expected = energy(np.where(told[..., None], v, 1), h)[told].mean()
            assert found[site, f"{name}_radial_energy"] == pytest.approx(expected, rel=1e-5), name


def test_the_penaltys_step_turns_activations_too():
    # the referee's objection: purely radial forces on activations, yet no purely radial motion of activations
    found, (_, _, now), _ = both("mlp")
    for site, h in now.items():
        assert 1 < found[site, "penalty_step_radial_energy"] < 0.95 * h.shape[-1]
        assert found[site, "task_step_radial_energy"] < found[site, "penalty_step_radial_energy"]


def test_stretching_is_radial_and_nothing_else():
    found = moved(H, 2 * H)
    r = np.linalg.norm(H, axis=1)
    assert found["angle"] == pytest.approx(0, abs=1e-12) and found["angular_displacement"] == pytest.approx(
        0, abs=1e-12
    )
    assert found["displacement_radial_energy"] == pytest.approx(7)
    assert found["radial_displacement"] == pytest.approx(math.sqrt((r**2).mean() / 7))
    assert found["relative_radial_displacement"] == pytest.approx(2 * math.sinh(math.log(2) / 2))


def test_turning_is_angular_and_nothing_else():
    for theta in (1e-6, 0.3, 3.1):
        q = np.eye(2) * math.cos(theta) + np.array([[0, 1], [-1, 0]]) * math.sin(theta)
        found = moved(H[:, :2], H[:, :2] @ q)
        assert found["angle"] == pytest.approx(theta, rel=1e-9)
        assert found["radial_displacement"] == pytest.approx(0, abs=1e-12)
        assert found["displacement_radial_energy"] == pytest.approx(0, abs=1e-12)
        r = np.linalg.norm(H[:, :2], axis=1)
        chord = 2 * math.sin(theta / 2) * math.sqrt((r**2).mean() / 2)
        assert found["angular_displacement"] == pytest.approx(chord, rel=1e-9)


def test_displacement_is_the_same_backwards_in_time_and_grows_with_scale_where_it_is_absolute():
    other = RNG.normal(size=H.shape)
    forth, back, large = moved(H, other), moved(other, H), moved(10 * H, 10 * other)
    assert forth == pytest.approx(back)
    for name, value in forth.items():
        absolute = name in ("radial_displacement", "angular_displacement")
        assert large[name] == pytest.approx(10 * value if absolute else value), name


def test_small_isotropic_motion_has_radial_energy_1():
    h, noise = RNG.normal(size=(2, 4000, 16))
    found = moved(h, h + 1e-4 * noise)
    assert found["displacement_radial_energy"] == pytest.approx(1, abs=0.1)
    assert moved(h, h * (1 + 1e-4 * noise[:, :1]))["displacement_radial_energy"] == pytest.approx(16)  # control


def test_small_angles_survive_float32():
    u = np.float32([1.0, 0.0])
    for theta in (1e-4, 1e-2):
        w = np.float32([math.cos(theta), math.sin(theta)])
        assert float(displacement_means(jnp.asarray(u), jnp.asarray(w))["angle"]) == pytest.approx(theta, rel=1e-3)


def test_a_vector_at_0_has_no_angle_and_what_does_not_move_no_share():
    h = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    found = moved(h, np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]))
    assert found["angle"] == pytest.approx(math.pi / 4)  # of the two that have directions
    assert found["displacement_radial_energy"] == pytest.approx((2 + 0) / 2)  # the first moved along its own ray
    still = moved(h[1:], h[1:])
    assert math.isnan(still["displacement_radial_energy"]) and still["angle"] == 0
    assert all(math.isnan(moved(h[:1], h[:1])[name]) for name in ("angle", "relative_radial_displacement"))


def cosine(*angles, plane=(0, 1)):
    """Of turns through points at given angles in a plane; radii do not matter."""
    points = []
    for k, angle in enumerate(angles):
        h = np.zeros(3)
        h[plane[0]], h[plane[1]] = math.cos(angle), math.sin(angle)
        points.append(jnp.asarray((k + 1) * h, jnp.float32))
    return float(turning_cosine(*points))


def test_the_cosine_of_turns_is_1_along_a_great_circle_and_minus_1_there_and_back():
    assert cosine(0.0, 0.5, 2.0) == pytest.approx(1, abs=1e-5)
    assert cosine(0.0, 1.0, 0.3) == pytest.approx(-1, abs=1e-5)
    a, b, c = (jnp.asarray(x, jnp.float32) for x in ([1.0, 0, 0], [0, 1.0, 0], [0, 1.0, 1.0]))
    assert float(turning_cosine(a, b, c)) == pytest.approx(0, abs=1e-6)


def test_a_turn_that_rounding_could_have_made_has_no_cosine():
    assert math.isnan(cosine(0.0, 0.0, 1.0)) and math.isnan(cosine(0.0, 1e-6, 1.0))
    assert cosine(0.0, 1e-2, 1.0) == pytest.approx(1, abs=1e-3)  # control


def test_without_an_earlier_measurement_everything_is_nan_and_with_one_the_cosine():
    h = np.float32(H)
    none, one, two = (hand(Motion(), h, step=9, earlier=[(2 * h[::-1], 5), (h[:, ::-1], 3)][:k]) for k in (0, 1, 2))
    assert set(none) == set(one) == set(two)
    assert all(map(math.isnan, none.values()))
    assert {name for name, value in one.items() if math.isnan(value)} == {"angular_cosine"}
    assert not any(map(math.isnan, two.values()))
    assert two["angular_speed"] == pytest.approx(two["angle"] / 4, rel=1e-6)


def test_two_measurements_at_one_step_have_no_speed():
    assert math.isnan(hand(Motion(), np.float32(H), step=9, earlier=[(H[::-1], 9)])["angular_speed"])


def test_on_free_vectors_the_penaltys_step_is_radial_and_the_tasks_is_the_gradient_itself():
    h = np.float32(H)
    labels = np.arange(30) % 7
    sprung = {"penalty": lambda activations, params: radial_penalty(activations["a"], 0.5), "labels": labels}
    found, g = hand(Updates(), h, **sprung), hand(RadialEnergy(), h, **sprung)
    assert found["penalty_step_radial_energy"] == pytest.approx(7, rel=1e-5)
    assert found["task_step_radial_energy"] == pytest.approx(g["radial_energy"], rel=1e-4)
    assert math.isnan(found["update_radial_energy"])  # it stands still
    plain = hand(Updates(), h, labels=labels)
    assert math.isnan(plain["penalty_step_radial_energy"])
    assert plain["task_step_radial_energy"] == pytest.approx(found["task_step_radial_energy"], rel=1e-6)


def test_pure_decay_moves_the_activations_of_a_homogeneous_network_along_their_rays():
    def values(case):
        at, params = looking(*CASES[case])

        def measure(params):
            snapshot = at(params)
            decayed = lambda: jax.tree.map(lambda w: 0.9 * w, params)  # noqa: E731
            return Updates().measure(dataclasses.replace(snapshot, after=decayed, _known={}))

        return {site: float(v) for (site, name), v in quick_jit(measure)(params).items() if name[:6] == "update"}

    assert values("2-hot") == pytest.approx({"hidden.0.pre": 8, "hidden.1.pre": 6}, rel=1e-4)
    biased = values("mlp")  # control
    assert biased["hidden.0.pre"] < 7.9 and biased["hidden.1.pre"] < 5.9


def test_a_run_on_its_way_turns_less_between_measurements_than_two_unrelated_networks():
    trained, drawn = read(Motion(), *CASES["2-hot"], trained=12), read(Motion(), *CASES["2-hot"])
    for site in CASES["2-hot"][0].sites:
        assert trained[site, "angle"] < 0.2 < 1 < drawn[site, "angle"]  # control: unrelated ones are at right angles
        assert trained[site, "angular_cosine"] > 0.5 > abs(drawn[site, "angular_cosine"]) - 0.5

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise import radial_penalty
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.protocols.reading import PastWeights
from anglewise.lab.readings.regularisation import (
    PenaltyGradient,
    _of_layer,
    decay_matrix,
    gauss_newton_square,
    square_of_mean,
)
from anglewise.lab.tasks.modular import Modular
from tests.support.programs import quick_jit
from tests.support.readings import BASE, CASES, PAIRS, looking, replaced

SCALARS = (
    "penalty_anisotropy", "penalty_anisotropic_share", "penalty_negative", "penalty_input_alignment",
    "input_anisotropy", "input_anisotropy_excess", "input_mean_share", "gauss_newton_trace", "gauss_newton_anisotropy",
)  # fmt: skip


def two_hot(p):
    """All p * p pairs of one-hot vectors."""
    return np.array([np.r_[a, b] for a, b in itertools.product(np.eye(p), np.eye(p))])


def of_layer(x, h, target=1.0, of=None):
    """All values of one layer, in float64."""
    with jax.enable_x64(True):
        run = quick_jit(lambda x, h: _of_layer(x, h, target, of or x.shape[-2])[1])
        return jax.tree.map(np.asarray, run(jnp.asarray(x, jnp.float64), jnp.asarray(h, jnp.float64)))


def at_radius(r, *shape, seed=0):
    """Vectors of random direction and radius r in units of sqrt(d)."""
    h = np.random.default_rng(seed).normal(size=shape)
    return r * math.sqrt(shape[-1]) * h / np.linalg.norm(h, axis=-1, keepdims=True)


def slow(x, h, target):
    """The definitions, vector by vector, with matrices of whole size."""
    d, size = h.shape[-1], x.shape[-1]
    moment, matrix, newton = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size * d, size * d))
    for a, b in zip(x.reshape(-1, size), h.reshape(-1, d), strict=True):
        r = np.sqrt((b**2).sum())
        matrix += (1 - target * np.sqrt(d) / r) * np.outer(a, a)
        moment += np.outer(a, a)
        newton += 2 / d * np.kron(np.outer(a, a), np.outer(b, b) / r**2)
    n = x.size // size
    matrix, moment, newton = matrix / n, moment / n, newton / n
    mu, inputs = np.linalg.eigvalsh(matrix), np.linalg.eigvalsh(moment)
    span = inputs[inputs > 1e-12 * inputs[-1]]
    even = np.trace(matrix) / size * np.eye(size)
    mean = x.reshape(-1, size).mean(axis=0)
    found = {
        "penalty_spectrum": mu,
        "penalty_anisotropy": (matrix**2).sum() / (even**2).sum(),
        "penalty_anisotropic_share": ((matrix - even) ** 2).sum() / (matrix**2).sum(),
        "penalty_negative": -mu[mu < 0].sum() / np.abs(mu).sum(),
        "penalty_input_alignment": (matrix * moment).sum() / np.linalg.norm(matrix) / np.linalg.norm(moment),
        "input_spectrum": inputs,
        "input_anisotropy": np.mean(inputs**2) / np.mean(inputs) ** 2,
        "input_anisotropy_excess": np.mean(span**2) / np.mean(span) ** 2 - 1,
        "input_mean_share": (mean**2).sum() / np.trace(moment),
        "gauss_newton_trace": np.trace(newton),
        "gauss_newton_anisotropy": size * d * (newton**2).sum() / np.trace(newton) ** 2,
    }
    return matrix, found


@pytest.fixture(scope="module", params=CASES)
def seen(request):
    """A look, and per site: the reading's values with a radial penalty of its own target, on the whole training set."""
    model, task = CASES[request.param]
    site = model.sites[0]
    with jax.enable_x64(True):
        at, params = looking(model, task, (*BASE, RadialPenalty(strength=1.0, target=0.4, sites=(site,))))

        def everything(params):
            snapshot = at(params)
            gradient = jax.grad(snapshot.objective)(
                params, snapshot.data.train_inputs, snapshot.data.train_labels, "penalty"
            )
            linear_map = snapshot.network.linear_maps[site]
            values = PenaltyGradient().measure(snapshot)
            return values, snapshot.forward("train", 0).activations, linear_map.weight(gradient)

        found, activations, gradient = jax.tree.map(np.asarray, quick_jit(everything)(params))
        snapshot = at(params)
    return model, snapshot, found, activations, gradient


def test_every_value_equals_the_obvious_computation(seen):
    model, snapshot, found, activations, _ = seen
    for site, linear_map in snapshot.network.linear_maps.items():
        x, h = activations[linear_map.source], activations[site]
        matrix, expected = slow(x, h, 0.4 if site == model.sites[0] else 1.0)
        now, then = (
            np.asarray(linear_map.weight(snapshot.params)),
            np.asarray(linear_map.weight(snapshot.earlier[0].params)),
        )
        change = (now - then).ravel()
        for name, force in (("update", -matrix @ (now + then)), ("decay", -(now + then))):
            cosine = change @ force.ravel() / np.linalg.norm(change) / np.linalg.norm(force)
            expected[f"{name}_alignment"] = cosine
        assert set(expected) == {name for where, name in found if where == site}
        for name, value in expected.items():
            np.testing.assert_allclose(found[site, name], value, rtol=1e-8, atol=1e-11, err_msg=f"{site} {name}")


def test_the_penaltys_gradient_is_the_matrix_times_the_weight_and_a_term_of_the_bias(seen):
    model, snapshot, _, activations, gradient = seen
    linear_map, h = snapshot.network.linear_maps[model.sites[0]], activations[model.sites[0]]
    x, d = activations[linear_map.source], h.shape[-1]
    weight = np.asarray(linear_map.weight(snapshot.params))
    matrix, _ = slow(x, h, 0.4)
    bias = (h - x @ weight).reshape(-1, d)[0]
    pulls = 1 - 0.4 * np.sqrt(d) / np.linalg.norm(h, axis=-1)
    mean = (pulls[..., None] * x).reshape(-1, x.shape[-1]).mean(axis=0)
    np.testing.assert_allclose(gradient, 2 / d * (matrix @ weight + np.outer(mean, bias)), rtol=1e-9, atol=1e-12)
    has_bias = model.bias if isinstance(model, MLP) else True
    assert np.any(np.abs(bias) > 1e-3) == has_bias  # so that both forms were tried


def test_the_gauss_newton_form_is_the_hessian_once_the_radii_are_on_the_sphere():
    x, weight = np.random.default_rng(0).normal(size=(5, 3)), np.random.default_rng(1).normal(size=(3, 2))
    h = x @ weight
    r = np.linalg.norm(h, axis=-1)
    with jax.enable_x64(True):
        # every sample its own target, at which it sits
        loss = lambda w: radial_penalty(jnp.asarray(x) @ w, jnp.asarray(r / math.sqrt(2)))  # noqa: E731
        hessian = np.asarray(jax.hessian(loss)(jnp.asarray(weight))).reshape(6, 6)
        square = float(gauss_newton_square(jnp.asarray(x), jnp.asarray(h), of=5))
    found = of_layer(x, h)
    assert found["gauss_newton_trace"] == pytest.approx(np.trace(hessian), rel=1e-9)
    assert square * (2 / 2) ** 2 == pytest.approx((hessian**2).sum(), rel=1e-9)
    assert found["gauss_newton_anisotropy"] == pytest.approx(6 * (hessian**2).sum() / np.trace(hessian) ** 2, rel=1e-9)


@pytest.mark.parametrize("p", [5, 11])
def test_over_the_whole_table_2_hot_inputs_are_isotropic_on_their_span_but_for_their_mean(p):
    x = two_hot(p)
    found = of_layer(x, at_radius(3.0, p * p, 4))
    expected = [0.0] + [1 / p] * (2 * p - 2) + [2 / p]
    np.testing.assert_allclose(found["input_spectrum"], expected, atol=1e-12)
    assert found["input_anisotropy"] == pytest.approx(1 + 1 / p, rel=1e-9)
    assert found["input_anisotropy_excess"] == pytest.approx((p + 1) * (2 * p - 1) / (2 * p * p) - 1, rel=1e-9)
    assert found["input_mean_share"] == pytest.approx(1 / p, rel=1e-9)
    # all radii equal and outside: M is a positive multiple of the second moment
    np.testing.assert_allclose(found["penalty_spectrum"], np.asarray(expected) * 2 / 3, atol=1e-12)
    assert found["penalty_input_alignment"] == pytest.approx(1, rel=1e-12)


def test_a_random_half_of_the_table_adds_sampling_noise_of_known_size():
    # eigenvalues of the bulk get the relative variance 2 (1 - f) / (f p): counts of tokens, and holes in the table
    p, f = 31, 0.5
    x, rng = two_hot(p), np.random.default_rng(0)
    excess = []
    for _ in range(8):
        part = x[rng.permutation(p * p)[: int(f * p * p)]]
        excess.append(of_layer(part, at_radius(3.0, len(part), 4))["input_anisotropy_excess"])
    assert np.mean(excess) == pytest.approx(1 / (2 * p) + 2 * (1 - f) / (f * p), rel=0.15)


def test_the_penalty_grows_weights_inside_the_sphere_and_shrinks_them_outside():
    x = np.random.default_rng(0).normal(size=(200, 6))
    inside, outside = of_layer(x, at_radius(0.2, 200, 8)), of_layer(x, at_radius(1.8, 200, 8))
    assert (inside["penalty_spectrum"] < 0).all() and inside["penalty_negative"] == pytest.approx(1)
    assert inside["penalty_input_alignment"] == pytest.approx(-1)
    assert (outside["penalty_spectrum"] > 0).all() and outside["penalty_negative"] == 0
    half = np.concatenate([at_radius(0.5, 100, 8), at_radius(1.5, 100, 8)])
    mixed = of_layer(np.concatenate([x[:100] * [1, 1, 1, 0, 0, 0], x[100:] * [0, 0, 0, 1, 1, 1]]), half)
    assert (mixed["penalty_spectrum"][:3] < 0).all() and (mixed["penalty_spectrum"][3:] > 0).all()
    assert 0.6 < mixed["penalty_negative"] < 0.85  # 1 - 1/0.5 = -1 against 1 - 1/1.5 = 1/3: 3/4


@pytest.mark.parametrize(("r", "gap"), [(1e2, 2e-2), (1e4, 2e-4)])
def test_far_outside_the_sphere_the_matrix_becomes_the_second_moment(r, gap):
    x, h = np.random.default_rng(0).normal(size=(50, 6)), at_radius(1.0, 50, 8)
    h = h * r * np.random.default_rng(1).uniform(0.8, 2.0, size=(50, 1))
    with jax.enable_x64(True):
        matrix = np.asarray(decay_matrix(jnp.asarray(x), jnp.asarray(h)))
    assert np.linalg.norm(matrix - x.T @ x / 50) < gap * np.linalg.norm(matrix)
    assert np.linalg.norm(matrix - x.T @ x / 50) > gap / 10 * np.linalg.norm(matrix)  # and no sooner


def test_near_the_sphere_the_matrix_is_of_fourth_order_and_nearly_traceless():
    rng = np.random.default_rng(0)
    x, d = rng.normal(size=(400, 6)), 8
    r = 1 + 1e-3 * rng.normal(size=(400, 1))
    h = at_radius(1.0, 400, d) * (r - r.mean() + 1)
    with jax.enable_x64(True):
        matrix = np.asarray(decay_matrix(jnp.asarray(x), jnp.asarray(h)))
    quartic = (x * ((h**2).sum(axis=1, keepdims=True) - d) / (2 * d)).T @ x / 400
    second = 1.5 * np.mean((r - 1) ** 2) * np.abs(x.T @ x / 400).max()  # 1 - 1/r = (r^2 - 1)/2 - 3/2 (r - 1)^2 + ...
    np.testing.assert_allclose(matrix, quartic, rtol=0, atol=1.5 * second)
    assert 1.5 * second < 0.05 * np.abs(quartic).max()
    found = of_layer(x, h)
    assert 0.2 < found["penalty_negative"] < 0.8 and found["penalty_anisotropic_share"] > 0.5


def test_isotropic_inputs_have_anisotropy_1_and_a_single_direction_that_of_its_size():
    x = np.sqrt(6) * np.concatenate([np.eye(6), -np.eye(6)])
    even = of_layer(x, at_radius(2.0, 12, 8))
    for name in ("input_anisotropy", "penalty_anisotropy"):
        assert even[name] == pytest.approx(1, rel=1e-12)
    for name in ("input_anisotropy_excess", "penalty_anisotropic_share", "input_mean_share"):
        assert even[name] == pytest.approx(0, abs=1e-12)
    single = of_layer(np.outer(np.arange(1, 13), np.arange(6)), at_radius(2.0, 12, 8))
    assert single["input_anisotropy"] == pytest.approx(6) and single["penalty_anisotropic_share"] == pytest.approx(
        5 / 6
    )
    assert single["input_anisotropy_excess"] == pytest.approx(0, abs=1e-9)  # on its span, one direction is isotropic


def test_rotating_inputs_or_outputs_and_reordering_neurons_change_no_scalar():
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(30, 6)) + 0.5, rng.normal(size=(30, 4))
    (q, _), (o, _) = np.linalg.qr(rng.normal(size=(6, 6))), np.linalg.qr(rng.normal(size=(4, 4)))
    found = of_layer(x, h)
    for a, b in ((x @ q, h @ o), (x[:, ::-1], h[:, ::-1])):
        for name, value in of_layer(a, b).items():
            np.testing.assert_allclose(value, found[name], rtol=1e-7, atol=1e-10, err_msg=name)


def test_random_relu_features_have_a_dominant_mean_direction_and_2_hot_inputs_do_not():
    rng = np.random.default_rng(0)
    x = two_hot(11)
    post = np.maximum(x @ rng.normal(size=(22, 40)), 0)
    first, second = of_layer(x, at_radius(2.0, 121, 4)), of_layer(post, at_radius(2.0, 121, 4))
    # of ReLU of a Gaussian, mean^2 / mean square = 1 / pi: that share of |x|^2 lies in one direction of forty
    assert second["input_mean_share"] > 1 / math.pi > 3 * first["input_mean_share"]
    assert second["input_anisotropy"] > 4 > 2 > first["input_anisotropy"]
    assert second["input_spectrum"][-1] > 3 * second["input_spectrum"][-2]


def test_a_vector_of_length_0_is_not_pulled_and_gives_no_nan():
    x, h = np.random.default_rng(0).normal(size=(10, 3)), at_radius(2.0, 10, 4)
    h[0] = 0
    with jax.enable_x64(True):
        matrix = np.asarray(decay_matrix(jnp.asarray(x), jnp.asarray(h)))
        bad = np.asarray(decay_matrix(jnp.asarray(x), jnp.asarray(h).at[0].set(jnp.nan)))
    np.testing.assert_allclose(matrix, 0.5 * x[1:].T @ x[1:] / 10, rtol=1e-12)
    assert np.isnan(bad).all()  # a diverged network is not taken for one of no radius


def squares(found):
    """Squared norms of second moment, M and Gauss-Newton form, up to constants."""
    return [
        found["input_anisotropy"] * np.sum(found["input_spectrum"]) ** 2,
        found["penalty_anisotropy"] * np.sum(found["penalty_spectrum"]) ** 2,
        found["gauss_newton_anisotropy"] * found["gauss_newton_trace"] ** 2,
    ]


def test_squares_of_a_sample_are_those_of_the_training_set_on_average():
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(2, 40, 5)) + 0.3, at_radius(1.3, 2, 40, 4) * rng.uniform(0.5, 1.5, size=(2, 40, 1))
    expected, samples, naive = np.array(squares(of_layer(x, h))), [], []
    run = quick_jit(lambda x, h: _of_layer(x, h, 1.0, 40)[1])
    for _ in range(300):
        some = rng.permutation(40)[:8]
        with jax.enable_x64(True):
            found = jax.tree.map(np.asarray, run(x[:, some], h[:, some]))
        samples.append(squares(found))
        naive.append(5 * np.sum(np.square(found["input_spectrum"])))
    error = np.std(samples, axis=0) / np.sqrt(300)
    assert (np.abs(np.mean(samples, axis=0) - expected) < 4 * error).all()
    assert (error < 0.05 * expected).all()
    assert np.mean(naive) > expected[0] + 10 * error[0]  # control: the sample's own square is too large


def test_the_square_of_a_mean_of_all_is_the_square_itself():
    assert square_of_mean(3.0, 5.0, n=7, of=7) == pytest.approx(3.0)
    assert square_of_mean(3.0, 5.0, n=7, of=10**9) == pytest.approx((7 * 3.0 - 5.0) / 6)
    assert square_of_mean(3.0, 3.0, n=1, of=1) == 3.0


def aligned(weight_of, *, target=1.0, step=3):
    """The reading after the first layer's weight went from what it was at the last measurement to another."""
    model, task = MLP(hidden=(6,)), Modular(p=4, train=0.9)
    with jax.enable_x64(True):
        at, params = looking(model, task, (*BASE, RadialPenalty(target=target)))
        snapshot = at(params)
        then = np.asarray(params.layers[0].weight)
        x = np.asarray(snapshot.forward("train", 0).activations["input"])
        params = replaced(params, lambda p: p.layers[0].weight, weight_of(then, x.T @ x / len(x)))

        def measure(params, then):
            past = PastWeights(then, jnp.asarray(step))
            return PenaltyGradient().measure(dataclasses.replace(at(params), earlier=(past, past)))

        found = quick_jit(measure)(params, snapshot.params)
    return {name: float(v) for (_, name), v in found.items() if np.ndim(v) == 0}


def test_weights_that_only_decayed_are_aligned_with_decay_and_those_that_obeyed_the_penalty_with_it():
    shrunk = aligned(lambda w, moment: 0.8 * w)
    assert shrunk["decay_alignment"] == pytest.approx(1) and abs(shrunk["update_alignment"]) < 1

    def obey(w, moment):  # implicit midpoint of descending the penalty of target 0, whose matrix is the moment
        one, push = np.eye(len(w)), 0.5 * moment
        return np.linalg.solve(one + push / 2, (one - push / 2) @ w)

    obeyed = aligned(obey, target=0.0)
    assert obeyed["update_alignment"] == pytest.approx(1) and obeyed["decay_alignment"] < 0.995
    against = aligned(lambda w, moment: 1.2 * w)
    assert against["decay_alignment"] == pytest.approx(-1)


def test_a_turn_that_keeps_the_norm_is_not_aligned_with_decay_and_without_a_past_nothing_is_known():
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    turned = aligned(lambda w, moment: turn @ w)
    assert turned["decay_alignment"] == pytest.approx(0, abs=1e-12)
    first = aligned(lambda w, moment: turn @ w, step=-1)
    assert math.isnan(first["update_alignment"]) and math.isnan(first["decay_alignment"])
    assert all(math.isfinite(first[name]) for name in SCALARS)


def test_the_reading_of_a_batch_of_networks_is_that_of_each():
    at, params = looking(MLP(hidden=(8, 6)), PAIRS)
    both = [params, jax.tree.map(lambda w: 2 * w[::-1], params)]
    measure = lambda params: dict(PenaltyGradient(rows=5).measure(at(params)))  # noqa: E731
    together = quick_jit(jax.vmap(measure))(jax.tree.map(lambda *w: jnp.stack(w), *both))
    alone = quick_jit(measure)
    for k, params in enumerate(both):
        for key, value in alone(params).items():
            np.testing.assert_allclose(together[key][k], value, rtol=2e-3, atol=2e-4, err_msg=str(key))

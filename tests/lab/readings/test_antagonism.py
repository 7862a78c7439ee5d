import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.antagonism import Antagonism, leading, rates
from tests.support.programs import quick_jit
from tests.support.readings import BASE, CASES, PAIRS, looking

WHAT = ("sigma1", "bulk", "stable_rank")


def logs(a):
    """ln of the first singular value, of the norm of the rest, and of the stable rank."""
    sigma = np.linalg.svd(a, compute_uv=False)
    return np.log([sigma[0], np.sqrt((sigma[1:] ** 2).sum()), (sigma**2).sum() / sigma[0] ** 2])


def difference(a, move, step=1e-6):
    """Rates by a central difference of whole spectra."""
    a, move = (x.reshape(-1, x.shape[-1]) for x in (a, move))
    return (logs(a + step * move) - logs(a - step * move)) / (2 * step)


both_steps = quick_jit(lambda a, move: rates(a, move, leading(a)))


def rates_of(a, move):
    with jax.enable_x64(True):
        return np.asarray(both_steps(jnp.asarray(a), jnp.asarray(move)))


def spring(h, target=1.0):
    """Descent of the penalty, vector by vector."""
    root = np.sqrt(h.shape[-1])
    return np.array([-2 / len(r) * (1 - target * root / np.linalg.norm(r)) * r for r in h])


@pytest.fixture(scope="module", params=CASES)
def seen(request):
    """The reading of a network with a penalty at one site, and what it was made from, in float64."""
    model, task = CASES[request.param]
    with jax.enable_x64(True):
        at, params = looking(model, task, (*BASE, RadialPenalty(strength=0.3, target=0.4, sites=(model.sites[0],))))

        def everything(params):
            snapshot = at(params)
            seen = (snapshot.forward("train", 7).activations, snapshot.gradients("task", "train", 7))
            return Antagonism(rows=7).measure(snapshot), *seen, snapshot.gradients("total", "train", 7)

        found, activations, task_gradients, total = jax.tree.map(np.asarray, quick_jit(everything)(params))
    return model, found, activations, task_gradients, total


def test_rates_are_finite_differences_of_whole_spectra(seen):
    model, found, activations, gradients, _ = seen
    assert set(found) == {(s, f"{of}_{what}_rate") for s in model.sites for of in ("penalty", "task") for what in WHAT}
    for site in model.sites:
        h = activations[site]
        vectors = h.reshape(-1, h.shape[-1])
        positions = len(vectors) // h.shape[-2]
        for of, move in (
            ("penalty", spring(vectors, 0.4 if site == model.sites[0] else 1.0) / positions),
            ("task", -gradients[site]),
        ):
            expected = difference(h, move)
            assert np.abs(expected).min() > 1e-6
            np.testing.assert_allclose([found[site, f"{of}_{what}_rate"] for what in WHAT], expected, rtol=1e-5)


def test_strength_times_the_penaltys_rate_plus_the_tasks_is_the_totals(seen):
    model, found, activations, _, total = seen
    site = model.sites[0]
    expected = difference(activations[site], -total[site])
    both = [0.3 * found[site, f"penalty_{what}_rate"] + found[site, f"task_{what}_rate"] for what in WHAT]
    np.testing.assert_allclose(both, expected, rtol=1e-5)  # only this site has a penalty, so none flows back to it


@pytest.mark.parametrize("r", [0.1, 0.9, 3.0, 1000.0])
def test_where_all_radii_are_equal_the_penalty_scales_every_singular_value_alike(r):
    h = np.random.default_rng(0).normal(size=(40, 8)) + 1
    h *= r * np.sqrt(8) / np.linalg.norm(h, axis=1, keepdims=True)
    sigma1, bulk, stable = rates_of(h, spring(h))
    assert sigma1 == pytest.approx(-2 / 8 * (1 - 1 / r), rel=1e-12)
    assert bulk == pytest.approx(sigma1, rel=1e-12)
    assert stable == pytest.approx(0, abs=1e-12 * abs(sigma1))
    one, other = (np.linalg.svd(a, compute_uv=False) for a in (h, h + 0.1 * spring(h)))
    np.testing.assert_allclose(other / one, 1 + 0.1 * sigma1, rtol=1e-12)


def test_long_vectors_along_the_first_direction_are_what_it_takes_to_gain_rank():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(200, 8)) + np.r_[2, np.zeros(7)]
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    longer = u * np.sqrt(8) * (1 + 3 * u[:, :1] ** 2)  # the nearer to the first direction, the longer
    shorter = u * np.sqrt(8) * (5 - 3 * u[:, :1] ** 2)
    gain, loss = rates_of(longer, spring(longer)), rates_of(shorter, spring(shorter))
    assert gain[0] < gain[1] < 0 < gain[2]  # hardest along the first, as the paper says
    assert loss[1] < loss[0] < 0 > loss[2]  # control: and hardest on the rest, where the radii are the other way round


def test_a_motion_along_the_first_singular_vector_moves_nothing_else():
    a = np.random.default_rng(0).normal(size=(30, 6)) + 1
    u, sigma, v = np.linalg.svd(a, full_matrices=False)
    first, second = (np.outer(u[:, k], v[k]) for k in (0, 1))
    np.testing.assert_allclose(rates_of(a, sigma[0] * first)[:2], [1, 0], atol=1e-10)
    np.testing.assert_allclose(rates_of(a, first - second)[0], 1 / sigma[0], rtol=1e-10)
    assert rates_of(a, a) == pytest.approx([1, 1, 0], abs=1e-12)


def test_a_gradient_of_no_law_has_no_hold_on_the_stable_rank():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(60, 8)) + 1
    drawn = np.array([rates_of(a, rng.normal(size=a.shape)) for _ in range(100)])
    assert (np.abs(drawn.mean(axis=0)) < 4 * drawn.std(axis=0) / 10).all()


def test_rotating_activations_and_reordering_samples_and_neurons_change_no_rate():
    rng = np.random.default_rng(0)
    a, move = rng.normal(size=(2, 30, 6)) + 0.5
    q, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    for b, motion in ((a @ q, move @ q), (a[::-1], move[::-1]), (a[:, ::-1], move[:, ::-1])):
        np.testing.assert_allclose(rates_of(b, motion), rates_of(a, move), rtol=1e-9)


def test_without_activations_there_is_no_rate():
    assert np.isnan(rates_of(np.zeros((5, 3)), np.ones((5, 3)))).all()


def test_in_float32_and_for_a_batch_of_networks_the_rates_are_those_of_each_in_float64():
    at, params = looking(MLP(hidden=(8, 6)), PAIRS)
    both = [params, jax.tree.map(lambda w: 2 * w[::-1], params)]
    measure = lambda params: dict(Antagonism().measure(at(params)))  # noqa: E731
    together = quick_jit(jax.vmap(measure))(jax.tree.map(lambda *w: jnp.stack(w), *both))
    alone = quick_jit(measure)
    with jax.enable_x64(True):
        wide, _ = looking(MLP(hidden=(8, 6)), PAIRS)
        exact = quick_jit(lambda params: dict(Antagonism().measure(wide(params))))
        truth = [exact(jax.tree.map(lambda w: jnp.asarray(w, jnp.float64), params)) for params in both]
    for k, params in enumerate(both):
        for key, value in alone(params).items():
            np.testing.assert_allclose(together[key][k], value, rtol=1e-3, atol=1e-4, err_msg=str(key))
            np.testing.assert_allclose(value, truth[k][key], rtol=1e-3, atol=1e-4, err_msg=str(key))


def test_the_task_alone_is_read_however_large_the_penalty():
    model = MLP(hidden=(6,))
    found = []
    for strength in (0.0, 1e6):
        at, params = looking(model, PAIRS, (*BASE, RadialPenalty(strength=strength)))
        found.append(quick_jit(lambda params, at=at: dict(Antagonism().measure(at(params))))(params))
    for key in found[0]:
        assert float(found[0][key]) == float(found[1][key])

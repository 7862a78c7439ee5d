import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.readings.hessian import density, hessian, largest, preconditioned, ritz, trace
from tests.support.programs import quick_jit
from tests.support.readings.curvature import symmetric

pytestmark = pytest.mark.usefixtures("double")
KEY = jax.random.key(3)


def lanczos(matrix, steps, starts=2, key=KEY):
    zeros = {"a": jnp.zeros(2), "b": jnp.zeros((1, len(matrix) - 2))}

    def product(v):
        moved = matrix @ jnp.concatenate([v["a"], v["b"][0]])
        return {"a": moved[:2], "b": moved[None, 2:]}

    return jax.tree.map(np.asarray, quick_jit(lambda: ritz(product, zeros, key, steps=steps, starts=starts))())


def test_the_product_is_the_hessian_of_the_loss():
    matrix, x = symmetric([3.0, -1.0, 0.5, 2.0]), jnp.arange(4.0)
    product = hessian(lambda w: 0.5 * w["x"] @ matrix @ w["x"] + jnp.sum(w["x"]), {"x": x})
    np.testing.assert_allclose(product({"x": x})["x"], matrix @ x)


def test_the_trace_of_a_diagonal_matrix_is_exact_with_every_probe():
    params = {"a": jnp.zeros(3), "b": jnp.zeros((2, 2))}
    scale = {"a": jnp.asarray([1.0, 2.0, 3.0]), "b": jnp.full((2, 2), -1.0)}
    found = trace(lambda v: jax.tree.map(jnp.multiply, scale, v), params, KEY, probes=5)
    np.testing.assert_allclose(found.whole, np.full(5, 2.0))
    np.testing.assert_allclose(found.blocks["a"], np.full(5, 6.0))
    np.testing.assert_allclose(found.blocks["b"], np.full(5, -4.0))


def test_probes_scatter_about_the_trace_with_the_variance_that_theory_gives():
    matrix = symmetric(np.linspace(-1, 4, 12))
    found = np.asarray(quick_jit(lambda: trace(lambda v: matrix @ v, jnp.zeros(12), KEY, probes=4000).whole)())
    off = np.asarray(matrix) - np.diag(np.diag(matrix))
    sd = np.sqrt(2 * np.sum(off**2))
    assert abs(found.mean() - 18.0) < 4 * sd / np.sqrt(4000)
    np.testing.assert_allclose(found.std(), sd, rtol=0.05)


def test_as_many_steps_as_dimensions_find_the_whole_spectrum():
    spectrum = np.array([-3.0, -1.0, 0.0, 0.1, 0.5, 2.0, 5.0, 8.0])
    for steps in (8, 20):
        found = lanczos(symmetric(spectrum), steps)
        np.testing.assert_allclose(found.values, np.tile(spectrum, (2, 1)), atol=1e-9)
        np.testing.assert_allclose(found.weights.sum(axis=1), 1)
        assert np.all(found.errors < 1e-9)


def test_ritz_values_bound_eigenvalues_from_below_and_say_how_well():
    spectrum = np.sort(np.random.default_rng(1).exponential(size=60))
    found = lanczos(symmetric(spectrum), 9, starts=3)
    top, error = largest(found)
    assert np.all(top <= spectrum[::-1][:9] + 1e-12)
    assert np.all(top >= found.values[:, ::-1] - 1e-12)
    assert np.min(np.abs(spectrum - top[0])) <= error
    near = np.min(np.abs(spectrum - found.values[..., None]), axis=-1)
    assert np.all(near <= found.errors + 1e-12)


@pytest.mark.parametrize(
    ("spectrum", "top"), [([0.0] * 6, [0, 0]), ([2.0] * 6, [2, 2]), ([0, 0, 0, 0, 1e-3, 5.0], [5, 1e-3])]
)
def test_few_distinct_eigenvalues_are_no_obstacle(spectrum, top):
    found = lanczos(symmetric(spectrum), 6)
    assert all(np.isfinite(x).all() for x in found)
    np.testing.assert_allclose(largest(found)[0][:2], top, atol=1e-9)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1)


@pytest.mark.parametrize("seed", range(8))
def test_a_multiple_of_the_identity_has_one_eigenvalue_whatever_the_rounding(seed):
    found = lanczos(2.7 * jnp.eye(9), 9, key=jax.random.key(seed))
    np.testing.assert_allclose(found.values, 2.7)
    assert np.all(found.errors < 1e-9)


def test_a_matrix_of_exact_zeros_has_eigenvalues_of_exactly_0():
    found = lanczos(jnp.zeros((6, 6)), 5)
    assert not np.any(found.values)
    assert np.isfinite(density(found, points=50).astype(np.float32)).all()


def test_what_is_not_a_number_stays_so():
    found = lanczos(jnp.full((6, 6), jnp.nan), 5)
    assert all(np.isnan(x).all() for x in found)


def test_the_density_integrates_to_1_and_puts_mass_where_eigenvalues_are():
    spectrum = np.repeat([1.0, 3.0], [150, 50])
    grid, values = density(lanczos(symmetric(spectrum), 10, starts=8), points=400)
    np.testing.assert_allclose(np.trapezoid(values, grid), 1)
    np.testing.assert_allclose(np.trapezoid(values[grid < 2], grid[grid < 2]), 0.75, atol=0.03)
    np.testing.assert_allclose(np.trapezoid(values * grid, grid), spectrum.mean(), atol=0.05)
    assert grid[values > 0.5].min() > 0.9 and grid[values > 0.5].max() < 3.1


def test_one_eigenvalue_gives_one_narrow_peak():
    grid, values = density(lanczos(symmetric([2.0] * 6), 3), points=300)
    np.testing.assert_allclose(grid[np.argmax(values)], 2, atol=0.01)
    np.testing.assert_allclose(np.trapezoid(values, grid), 1)


def test_preconditioning_gives_the_eigenvalues_of_the_unsymmetric_product():
    matrix, p = symmetric(np.linspace(-1, 4, 9)), np.random.default_rng(0).uniform(0.1, 5, size=9)
    product = preconditioned(lambda v: matrix @ v, jnp.asarray(p))
    found = quick_jit(lambda: ritz(product, jnp.zeros(9), KEY, steps=9))()
    np.testing.assert_allclose(found.values[0], np.sort(np.linalg.eigvals(np.asarray(matrix) / p[:, None]).real))


def test_many_matrices_at_once_give_what_each_gives():
    matrices = jnp.stack([symmetric(np.linspace(0, k, 7), seed=k) for k in (1, 2, 3)])
    run = lambda m: ritz(lambda v: m @ v, jnp.zeros(7), KEY, steps=5).values  # noqa: E731
    each = [quick_jit(run)(m) for m in matrices]
    np.testing.assert_allclose(quick_jit(jax.vmap(run))(matrices), np.stack(each), atol=1e-10)

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from anglewise.lab.readings.cycles import cycle_of_task, cyclic, means, power, waves, waves_of
from anglewise.lab.tasks.modular import Modular
from tests.support.programs import quick_jit


@pytest.mark.parametrize("n", [3, 7, 8])
def test_the_waves_and_the_constant_are_an_orthonormal_basis(n):
    cos, sin = waves(n)
    rows = np.vstack([np.full(n, n**-0.5), cos, sin[waves_of(n) == 2]])
    assert rows.shape == (n, n)
    np.testing.assert_allclose(rows @ rows.T, np.eye(n), atol=1e-14)
    assert not sin[waves_of(n) == 1].any()


@pytest.mark.parametrize("n", [7, 8])
def test_power_is_that_of_the_discrete_fourier_transform_and_adds_up_to_the_variance(n):
    with jax.enable_x64(True):
        x = np.random.default_rng(n).normal(size=(n, 3))
        found = np.asarray(power(jnp.asarray(x)))
    c = np.fft.fft(x, axis=0) / np.sqrt(n)
    np.testing.assert_allclose(found, waves_of(n)[:, None] * np.abs(c[1 : n // 2 + 1]) ** 2, rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=0), n * x.var(axis=0), rtol=1e-12)
    np.testing.assert_allclose(np.asarray(power(jnp.asarray(np.roll(x, 2, axis=0)))), found, rtol=1e-4)


@pytest.mark.parametrize("n", [5, 6])
def test_means_are_the_averages_over_pairs_of_equal_a_b_sum_and_difference(n):
    table = np.random.default_rng(n).normal(size=(n, n, 3))
    with jax.enable_x64(True):
        found = quick_jit(means)(jnp.asarray(table))
    for name, place in (
        ("a", lambda i, j: i),
        ("b", lambda i, j: j),
        ("plus", lambda i, j: (i + j) % n),
        ("minus", lambda i, j: (i - j) % n),
    ):
        wanted = np.zeros((n, 3))
        for i in range(n):
            for j in range(n):
                wanted[place(i, j)] += table[i, j] / n
        np.testing.assert_allclose(getattr(found, name), wanted, atol=1e-14, err_msg=name)
    np.testing.assert_allclose(found.variance, table.reshape(-1, 3).var(axis=0), rtol=1e-12)
    plus, minus = Modular(p=n).cycle, Modular(p=n, operation="-").cycle
    assert found.answer(plus) is found.plus and found.answer(minus) is found.minus


def test_the_four_means_hold_the_same_frequency_components_of_the_transform_in_two_dimensions():
    n = 9
    table = np.random.default_rng(0).normal(size=(n, n))
    with jax.enable_x64(True):
        found = means(jnp.asarray(table))
        powers = {name: np.asarray(power(getattr(found, name))) for name in ("a", "b", "plus", "minus")}
    full = np.abs(np.fft.fft2(table) / n) ** 2  # orthonormal
    for k in range(1, n // 2 + 1):
        for name, (u, v) in {"a": (k, 0), "b": (0, k), "plus": (k, k), "minus": (k, -k)}.items():
            assert n * powers[name][k - 1] == pytest.approx(2 * full[u, v], rel=1e-10), (name, k)


def test_only_tasks_with_a_cycle_of_three_or_more_are_cyclic():
    assert cyclic(Modular(p=5)) and cyclic(Modular(p=5, operation="/", b_from=1))
    assert not cyclic(Modular(p=5, operation="x^2+xy+y^2")) and not cyclic(Modular(p=2))
    with pytest.raises(TypeError, match="has no cycle: this reading does not suit it"):
        cycle_of_task(Modular(p=5, operation="x^2+y"))

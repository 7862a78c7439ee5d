from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anglewise import direction, effective_rank, radial_energy, radius, split, stable_rank
from anglewise.geometry import displacement
from tests.support.programs import quick_jit

torch.set_num_threads(1)
steady = settings(derandomize=True, deadline=None, max_examples=60)
coordinates = st.floats(-100, 100).map(lambda x: x if abs(x) > 1e-3 else 0.0)
vectors = st.integers(2, 9).flatmap(lambda d: arrays(np.float64, (3, d), elements=coordinates))
pairs = st.integers(2, 9).flatmap(lambda d: arrays(np.float64, (2, 3, d), elements=coordinates))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def rotation(d, seed):
    return np.linalg.qr(normal(d, d, seed=seed))[0]


@steady
@given(vectors)
def test_radius_times_direction_is_the_vector(h):
    np.testing.assert_allclose(radius(h)[..., None] * direction(h), h, atol=1e-12)
    np.testing.assert_allclose(radius(h), [math.hypot(*row) for row in h], rtol=1e-14)
    np.testing.assert_allclose(radius(direction(h)), np.any(h != 0, axis=-1), rtol=1e-14)


@steady
@given(pairs)
def test_parts_sum_to_the_whole_and_are_orthogonal(both):
    v, h = both
    parts = split(v, at=h)
    np.testing.assert_allclose(parts.radial + parts.angular, v, atol=1e-11)
    scale = radius(v) * radius(h) + 1e-300
    assert np.all(np.abs(np.sum(parts.angular * h, axis=-1)) <= 1e-12 * scale)
    assert np.all(np.abs(np.sum(parts.angular * parts.radial, axis=-1)) <= 1e-12 * radius(v) ** 2)


@steady
@given(pairs)
def test_split_matches_the_obvious_projection(both):
    v, h = both
    for got, v_i, h_i in zip(split(v, at=h).radial, v, h, strict=True):
        square = sum(x * x for x in h_i)
        along = sum(x * y for x, y in zip(v_i, h_i, strict=True))
        wanted = along / square * h_i if square else np.zeros_like(h_i)
        np.testing.assert_allclose(got, wanted, atol=1e-11)


@steady
@given(pairs, st.integers(0, 99))
def test_rotating_both_rotates_the_parts_and_keeps_the_energy(both, seed):
    v, h = both
    turn = rotation(v.shape[-1], seed)
    for part, turned in zip(split(v, at=h), split(v @ turn, at=h @ turn), strict=True):
        np.testing.assert_allclose(turned, part @ turn, atol=1e-10)
    np.testing.assert_allclose(radial_energy(v @ turn, at=h @ turn), radial_energy(v, at=h), atol=1e-11)


def test_control_rotating_one_alone_changes_the_parts():
    v, h = normal(2, 3, 5)
    assert not np.allclose(split(v @ rotation(5, 1), at=h).radial, split(v, at=h).radial @ rotation(5, 1))


@steady
@given(pairs, st.sampled_from([1e-6, -0.5, 1.0, 3.0, 1e6]))
def test_scaling_the_base_point_changes_nothing(both, scale):
    v, h = both
    for part, same in zip(split(v, at=scale * h), split(v, at=h), strict=True):
        np.testing.assert_allclose(part, same, atol=1e-10)
    np.testing.assert_allclose(radial_energy(v, at=scale * h), radial_energy(v, at=h), atol=1e-12)


def test_zero_has_no_direction():
    v, zero = normal(4, 6), np.zeros((4, 6))
    assert np.array_equal(direction(zero), zero)
    assert np.array_equal(split(v, at=zero).angular, v)
    assert np.array_equal(split(v, at=zero).radial, zero)
    assert np.array_equal(radial_energy(v, at=zero), np.zeros(4))


@steady
@given(pairs)
def test_displacement_splits_the_squared_distance_exactly_and_is_the_same_backwards(both):
    before, after = both
    parts, back = displacement(before, after), displacement(after, before)
    moved = radius(after - before)
    has = np.any(before != 0, axis=-1) & np.any(after != 0, axis=-1)
    np.testing.assert_allclose(np.hypot(parts.radial, parts.angular), moved, atol=1e-11)
    np.testing.assert_allclose(parts.radial, radius(after) - radius(before), atol=1e-12)
    np.testing.assert_allclose((-back.radial, back.angular), parts, atol=1e-12)
    assert np.all(parts.angular[~has] == 0)


def test_displacement_of_known_motions():
    h = normal(6, 2)
    quarter = np.stack([-h[:, 1], h[:, 0]], axis=1)
    np.testing.assert_allclose(displacement(h, quarter).radial, 0, atol=1e-15)
    np.testing.assert_allclose(displacement(h, quarter).angular, math.sqrt(2) * radius(h))
    np.testing.assert_allclose(displacement(h, -h).angular, 2 * radius(h))
    np.testing.assert_allclose(displacement(h, 0.25 * h).radial, -0.75 * radius(h))
    np.testing.assert_allclose(displacement(h, 0.25 * h).angular, 0, atol=1e-15)
    # control: the projection on the earlier vector calls half of a quarter turn radial
    assert np.all(radius(split(quarter - h, at=h).radial) > 0.99 * radius(h))


def test_displacement_from_and_to_zero_is_radial_with_finite_gradients():
    h, zero = np.ones((1, 4)), np.zeros((1, 4))
    for before, after in ((h, zero), (zero, h), (zero, zero)):
        leaves = [torch.tensor(x, requires_grad=True) for x in (before, after)]
        parts = displacement(*leaves)
        assert parts.angular == 0 and parts.radial == radius(after) - radius(before)
        for slope in torch.autograd.grad(sum(parts).sum(), leaves):
            assert torch.isfinite(slope).all()


def test_radius_has_gradient_0_and_not_nan_at_zero():
    for slope in (jax.grad(lambda h: jnp.sum(radius(h))), jax.jit(jax.grad(lambda h: jnp.sum(radius(h))))):
        assert np.array_equal(slope(jnp.zeros((2, 3))), np.zeros((2, 3)))
    h = torch.zeros(2, 3, requires_grad=True)
    radius(h).sum().backward()
    assert torch.equal(h.grad, torch.zeros(2, 3))
    naive = jax.grad(lambda h: jnp.sum(jnp.sqrt(jnp.sum(h * h, axis=-1))))(jnp.zeros((2, 3)))
    assert np.isnan(naive).all()  # control: the plain formula does give NaN


def test_an_isotropic_gradient_has_mean_energy_1_and_median_045():
    energy = radial_energy(normal(20_000, 64), at=normal(20_000, 64, seed=1))
    assert abs(energy.mean() - 1) < 3 * energy.std() / math.sqrt(len(energy))
    assert abs(np.median(energy) - 0.45) < 0.03
    assert abs(np.mean(energy < 0.15) - 0.30) < 0.02


def test_control_an_inflating_gradient_is_not_isotropic():
    h = normal(2000, 64, seed=1)
    assert radial_energy(normal(2000, 64) + 0.5 * h, at=h).mean() > 5


@pytest.mark.parametrize("d", [2, 3, 128])
def test_a_parallel_gradient_has_energy_d_and_an_orthogonal_one_0(d):
    h = normal(7, d)
    np.testing.assert_allclose(radial_energy(-2.5 * h, at=h), d, rtol=1e-12)
    np.testing.assert_allclose(radial_energy(split(normal(7, d, seed=1), at=h).angular, at=h), 0, atol=1e-25)


def test_nan_stays_nan():
    h = np.array([[1.0, 2.0], [np.nan, 2.0]])
    v = np.ones((2, 2))
    assert np.array_equal(np.isnan(radius(h)), [False, True])
    assert np.array_equal(np.isnan(direction(h)), [[False, False], [True, True]])
    assert np.isnan(split(v, at=h).angular[1]).all() and np.isnan(split(h, at=v).radial[1]).all()
    assert np.isnan(radial_energy(v, at=h)[1]) and np.isnan(radial_energy(h, at=v)[1])
    for before, after in ((h, v), (v, h)):
        assert [list(np.isnan(part)) for part in displacement(before, after)] == [[False, True]] * 2
    for convert in (np.asarray, torch.tensor, jnp.asarray):  # of which two raise by themselves
        for x in (h, np.where(np.isnan(h), np.inf, h)):
            assert math.isnan(effective_rank(convert(x))) and math.isnan(stable_rank(convert(x)))
        both = np.asarray(effective_rank(convert(np.stack([v, h]))))
        assert not np.isnan(both[0]) and np.isnan(both[1])


def test_a_zero_gradient_has_no_share():
    energy = radial_energy(np.array([[0.0, 0.0], [1.0, 1.0]]), at=np.ones((2, 2)))
    assert np.isnan(energy[0]) and energy[1] == pytest.approx(2)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_energy_does_not_depend_on_the_gradients_scale(scale):
    g, h = (normal(50, 16, seed=s).astype(np.float32) for s in (0, 1))
    np.testing.assert_allclose(radial_energy(np.float32(scale) * g, at=h), radial_energy(g, at=h), rtol=1e-4)
    jitted = jax.jit(lambda g: radial_energy(g, at=jnp.asarray(h)))(np.float32(scale) * g)
    np.testing.assert_allclose(jitted, radial_energy(g, at=h), rtol=1e-4)


@pytest.mark.parametrize(
    ("matrix", "effective", "stable"),
    [
        (np.eye(5), 5, 5),
        (7 * np.eye(5)[:3], 3, 3),
        (np.outer(np.arange(1.0, 5), np.ones(3)), 1, 1),
        (np.diag([2.0, 1.0]), math.exp(math.log(3) - 2 / 3 * math.log(2)), 1.25),
        (np.zeros((4, 3)), 0, 0),
        (np.stack([np.eye(2), np.diag([1.0, 0.0])]), [2, 1], [2, 1]),
    ],
)
def test_ranks_of_known_matrices(matrix, effective, stable):
    np.testing.assert_allclose(effective_rank(matrix), effective, rtol=1e-9)
    np.testing.assert_allclose(stable_rank(matrix), stable, rtol=1e-9)
    for convert in (torch.tensor, jnp.asarray):
        np.testing.assert_allclose(effective_rank(convert(matrix)), effective, rtol=1e-5)
        np.testing.assert_allclose(stable_rank(convert(matrix)), stable, rtol=1e-5)


@steady
@given(arrays(np.float64, (6, 4), elements=coordinates), st.integers(0, 99))
def test_ranks_ignore_scale_and_rotation_and_never_exceed_the_shape(a, seed):
    for rank in (effective_rank, stable_rank):
        assert 0 <= rank(a) <= 4 + 1e-9
        np.testing.assert_allclose(rank(3 * a @ rotation(4, seed)), rank(a), rtol=1e-6)
    assert stable_rank(a) <= effective_rank(a) + 1e-9 or effective_rank(a) >= 1


FUNCTIONS = {
    "radius": lambda v, h: radius(h),
    "direction": lambda v, h: direction(h),
    "radial": lambda v, h: split(v, at=h).radial,
    "angular": lambda v, h: split(v, at=h).angular,
    "energy": lambda v, h: radial_energy(v, at=h),
    "stretch": lambda v, h: displacement(v, h).radial,
    "turn": lambda v, h: displacement(v, h).angular,
}
every_function = pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)


def weighted(f):
    """A scalar made of f that feels every output in its own way."""

    def scalar(v, h):
        y = f(v, h).reshape(-1)
        return (y * (y + 0.5)).sum()

    return scalar


@every_function
def test_numpy_torch_and_jax_agree_in_values_and_gradients(f):
    v, h = normal(5, 7), normal(5, 7, seed=1)
    slow = f(v, h)
    leaves = [torch.tensor(x, requires_grad=True) for x in (v, h)]
    np.testing.assert_allclose(f(*leaves).detach().numpy(), slow, rtol=1e-12)
    slopes = torch.autograd.grad(weighted(f)(*leaves), leaves, allow_unused=True)
    with jax.enable_x64(True):

        @quick_jit
        def compiled(v, h):
            return f(v, h), jax.vmap(f)(v, h), jax.grad(weighted(f), argnums=(0, 1))(v, h)

        value, one_by_one, wanted = compiled(v, h)
        np.testing.assert_allclose(value, slow, rtol=1e-12)
        np.testing.assert_allclose(one_by_one, slow, rtol=1e-12)
    for slope, want in zip(slopes, wanted, strict=True):
        got = np.zeros_like(v) if slope is None else slope.numpy()
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@every_function
def test_gradients_are_those_of_finite_differences(f):
    leaves = [torch.tensor(normal(2, 4, seed=s), requires_grad=True) for s in (0, 1)]
    assert torch.autograd.gradcheck(f, leaves)


@every_function
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_torch_compiles_without_a_break(f):
    leaves = [torch.tensor(normal(3, 4, seed=s), dtype=torch.float32, requires_grad=True) for s in (0, 1)]
    torch.compiler.reset()
    scalar = weighted(f)
    compiled = torch.compile(scalar, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*leaves), scalar(*leaves))
    slopes = [torch.autograd.grad(g(*leaves), leaves, allow_unused=True) for g in (compiled, scalar)]
    for got, want in zip(*slopes, strict=True):
        torch.testing.assert_close(torch.zeros(()) if got is None else got, torch.zeros(()) if want is None else want)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    v, h = (torch.tensor(normal(6, 300, seed=s)).to(getattr(torch, dtype)) for s in (0, 1))
    jax_v, jax_h = (jnp.asarray(x.float().numpy()).astype(getattr(jnp, dtype)) for x in (v, h))
    for f in FUNCTIONS.values():
        got, wanted = f(v, h), f(v.float(), h.float())
        assert got.dtype == torch.float32 and torch.equal(got, wanted)
        got, wanted = f(jax_v, jax_h), f(jax_v.astype(jnp.float32), jax_h.astype(jnp.float32))
        assert got.dtype == jnp.float32 and np.array_equal(got, wanted)
    large = torch.full((1, 300), 200.0, dtype=torch.float16)  # its square alone overflows half precision
    assert radius(large).item() == pytest.approx(200 * math.sqrt(300))
    half = normal(6, 300).astype(np.float16)
    assert radius(half).dtype == np.float32
    np.testing.assert_array_equal(radius(half), radius(half.astype(np.float32)))


ASKED = {
    "radius": radius,
    "direction": direction,
    "split": lambda x: split(x, at=x),
    "energy": lambda x: radial_energy(x, at=x),
    "displacement": lambda x: displacement(x, x),
    "effective_rank": effective_rank,
    "stable_rank": stable_rank,
}


@pytest.mark.parametrize("f", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize(
    ("integers", "name"),
    [
        (np.ones((2, 2), np.int64), "int64"),
        (torch.ones(2, 2, dtype=torch.int32), "torch.int32"),
        (jnp.ones((2, 2), bool), "bool"),
    ],
    ids=["numpy", "torch", "jax"],
)
def test_integers_are_refused(f, integers, name):
    with pytest.raises(TypeError, match=rf"^expected a floating-point array, got dtype {name}: convert it first$"):
        f(integers)


def test_what_is_no_array_is_refused():
    wanted = (
        r"^expected an array with a width as its last axis, got list: pass a NumPy or JAX array or a PyTorch tensor$"
    )
    with pytest.raises(TypeError, match=wanted):
        radius([3.0, 4.0])

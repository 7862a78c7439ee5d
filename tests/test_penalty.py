from __future__ import annotations

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anglewise import radial_penalty, split
from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.tasks.modular import Modular
from anglewise.penalty import penalty_of_radius
from tests.support.programs import quick_jit

torch.set_num_threads(1)
steady = settings(derandomize=True, deadline=None, max_examples=50)
fields = arrays(np.float64, (4, 3), elements=st.floats(-50, 50).map(lambda x: x if abs(x) > 1e-3 else 0.0))
targets = st.sampled_from([0.0, 0.5, 1.0, 2.0])
sides = pytest.mark.parametrize("side", ["both", "outer", "inner"])


def normal(*shape, seed=0, scale=1.0):
    return scale * np.random.default_rng(seed).normal(size=shape)


def slope(h, *args, **kwargs):
    """Gradient by PyTorch, in float64."""
    leaf = torch.tensor(h, dtype=torch.float64, requires_grad=True)
    radial_penalty(leaf, *args, **kwargs).backward()
    return leaf.grad.numpy()


@steady
@given(fields, targets)
def test_it_is_the_mean_of_the_stated_formula(h, target):
    d = h.shape[-1]
    each = [(math.hypot(*row) - target * math.sqrt(d)) ** 2 / d for row in h]
    assert float(radial_penalty(h, target)) == pytest.approx(sum(each) / len(each), rel=1e-12)


@steady
@given(fields, targets)
def test_its_gradient_is_the_stated_formula_and_purely_radial(h, target):
    n, d = h.shape
    got = slope(h, target)
    r = np.linalg.norm(h, axis=-1, keepdims=True)
    u = np.divide(h, r, where=r > 0, out=np.zeros_like(h))
    np.testing.assert_allclose(n * got, 2 / d * (r - target * math.sqrt(d)) * u, atol=1e-12)
    assert np.all(np.abs(split(got, at=h).angular) <= 1e-12)


def test_control_the_gradient_of_a_plain_norm_in_one_coordinate_is_not_radial():
    h = normal(4, 3)
    other = h * np.array([1.0, 0.0, 0.0])
    assert np.abs(split(other, at=h).angular).max() > 0.1


@sides
def test_the_gradient_at_zero_is_zero(side):
    h = np.zeros((3, 5))
    assert np.array_equal(slope(h, side=side), h)
    for compiled in (lambda f: f, jax.jit):
        assert np.array_equal(compiled(jax.grad(lambda h: radial_penalty(h, side=side)))(jnp.zeros((3, 5))), h)


@steady
@given(fields, targets)
def test_the_one_sided_variants_sum_to_the_two_sided(h, target):
    parts = [radial_penalty(h, target, side=side) for side in ("outer", "inner")]
    assert float(sum(parts)) == pytest.approx(float(radial_penalty(h, target)), rel=1e-12)
    slopes = [slope(h, target, side=side) for side in ("outer", "inner")]
    np.testing.assert_allclose(sum(slopes), slope(h, target), atol=1e-13)


def test_each_side_charges_its_own_half_alone():
    inside, outside = np.full((1, 4), 0.5), np.full((1, 4), 3.0)  # radii 1 and 6 for a target of 2
    assert radial_penalty(inside, side="outer") == radial_penalty(outside, side="inner") == 0
    assert float(radial_penalty(inside, side="inner")) == pytest.approx(1 / 4)
    assert float(radial_penalty(outside, side="outer")) == pytest.approx(16 / 4)
    assert not slope(inside, side="outer").any()
    assert slope(inside, side="both")[0, 0] < 0 < slope(outside, side="both")[0, 0]  # inflates, then suppresses


@sides
@pytest.mark.parametrize("filler", [1e3, math.nan, math.inf])
def test_a_mask_equals_dropping_rows_whatever_they_hold(side, filler):
    h = normal(2, 5, 6, scale=1.5)
    keep = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]])
    filled = np.where(keep[..., None] == 1, h, filler)
    wanted = radial_penalty(h[keep == 1], 0.8, side=side)
    wanted_slope = np.zeros_like(h)
    wanted_slope[keep == 1] = slope(h[keep == 1], 0.8, side=side)
    for mask in (keep, keep.astype(bool), keep.astype(np.float64)):
        assert float(radial_penalty(filled, 0.8, mask, side=side)) == pytest.approx(float(wanted), rel=1e-12)
        got = slope(filled, 0.8, torch.tensor(mask), side=side)
        np.testing.assert_allclose(got, wanted_slope, rtol=1e-12, atol=1e-15)
    with jax.enable_x64(True):
        got = jax.jit(jax.grad(lambda h: radial_penalty(h, 0.8, jnp.asarray(keep), side=side)))(filled)
        np.testing.assert_allclose(got, wanted_slope, rtol=1e-12, atol=1e-15)


@sides
def test_control_without_the_mask_nan_spoils_the_mean(side):
    assert np.isnan(radial_penalty(np.array([[1.0, 2.0], [np.nan, 0.0]]), side=side))


def test_a_mask_broadcasts_and_its_weights_weigh():
    h = normal(2, 3, 4)
    wanted = np.average([radial_penalty(h[:, i]) for i in range(3)], weights=[1, 2, 0])
    assert float(radial_penalty(h, mask=np.array([1.0, 2.0, 0.0]))) == pytest.approx(wanted)


def test_a_mask_that_leaves_nothing_gives_0():
    h = normal(3, 4)
    assert radial_penalty(h, mask=np.zeros(3)) == 0
    assert not slope(h, 1.0, torch.zeros(3)).any()


@sides
@pytest.mark.parametrize("mask", [None, np.ones(0)])
def test_the_penalty_of_no_vectors_is_0_in_every_library(side, mask):
    h = np.zeros((0, 4))
    assert radial_penalty(h, mask=mask, side=side) == 0
    leaf = torch.zeros(0, 4, requires_grad=True)
    value = radial_penalty(leaf, mask=None if mask is None else torch.tensor(mask), side=side)
    value.backward()
    assert value == 0 and leaf.grad.shape == (0, 4)
    assert jax.jit(lambda h: radial_penalty(h, mask=mask, side=side))(jnp.zeros((0, 4))) == 0


def test_a_target_may_be_one_per_vector():
    h, target = normal(3, 4), np.array([0.5, 1.0, 2.0])
    wanted = np.mean([radial_penalty(h[i : i + 1], t) for i, t in enumerate(target)])
    assert float(radial_penalty(h, target)) == pytest.approx(wanted)


@pytest.mark.parametrize("zeta", [0.1, 0.15])
def test_target_0_on_rectified_activations_is_man(zeta):
    with jax.enable_x64(True):
        h = {f"hidden.{k}.pre": jnp.asarray(normal(5, 8 + k, seed=k)) for k in range(2)}
        h |= {name.replace("pre", "post"): jax.nn.relu(x) for name, x in h.items()}
        pre, post = [tuple(name for name in h if name.endswith(end)) for end in ("pre", "post")]
        radial = RadialPenalty(strength=zeta / 2, target=0.0, sites=post)
        assert float(radial.penalty(h, None)) == pytest.approx(float(MAN(zeta, sites=pre).penalty(h, None)), rel=1e-14)
        slow = zeta / 2 * sum(np.mean(np.maximum(h[name], 0) ** 2) for name in pre)
        assert float(MAN(zeta, sites=pre).penalty(h, None)) == pytest.approx(slow, rel=1e-14)
        unrectified = RadialPenalty(strength=zeta / 2, target=0.0, sites=pre)
        assert float(unrectified.penalty(h, None)) > 1.5 * slow  # control: the ReLU matters


def test_sites_are_summed_or_averaged():
    h = {"a": jnp.asarray(normal(5, 8)), "b": jnp.asarray(normal(5, 6))}
    each = [float(radial_penalty(x, 0.5, side="inner")) for x in h.values()]
    for over, wanted in (("sum", sum(each)), ("mean", sum(each) / 2)):
        made = RadialPenalty(0.3, 0.5, sites=("a", "b"), over=over, side="inner")
        assert float(made.penalty(h, None)) == pytest.approx(0.3 * wanted, rel=1e-6)


@pytest.mark.parametrize(("bias", "holds"), [(False, True), (True, False)])
def test_eulers_identity_of_a_bias_free_relu_mlp(bias, holds):
    """At every hidden layer and sample <h, grad_h CE> = <z, p - y>: cross-entropy pushes outward, equally at all."""
    with jax.enable_x64(True):
        task = Modular(p=7, train=0.5)
        drawn = jax.jit(lambda: MLP(hidden=(16, 12), embedding=5, bias=bias).init(task, jax.random.key(0)))()
        network = jax.tree.map(lambda w: w.astype(jnp.float64), drawn)
        inputs, labels = task.table()
        z, activations = quick_jit(lambda n, x: n(x))(network, inputs)
        p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
        outward = np.sum(z * (p - np.eye(7)[labels]), axis=-1)

        @quick_jit
        @jax.grad
        def gradients(nudges):
            z, _ = network(inputs, tap=lambda name, h: h + nudges[name])
            return -jnp.sum(jnp.take_along_axis(jax.nn.log_softmax(z), labels[:, None], axis=-1))

        hidden = {site: h for site, h in activations.items() if site != "input"}  # nothing can be tapped there
        found = gradients({site: np.zeros(h.shape) for site, h in hidden.items()})
        for site, h in hidden.items():
            inner = np.sum(np.asarray(h) * found[site], axis=-1)
            assert (np.abs(inner - outward).max() < 1e-14) == holds


CALLS = {
    "plain": {},
    "target": {"target": 0.4},
    "masked": {"mask": [1.0, 0.0, 1.0, 1.0]},
    "outer": {"side": "outer"},
    "inner": {"side": "inner", "target": 1.5},
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def called(call, convert):
    return {name: convert(x) if name == "mask" else x for name, x in call.items()}


@every_call
def test_numpy_torch_and_jax_agree_in_values_and_gradients(call):
    h = normal(4, 6, scale=1.2)
    value = float(radial_penalty(h, **called(call, np.array)))
    wanted = slope(h, **called(call, torch.tensor))
    assert radial_penalty(torch.tensor(h), **called(call, torch.tensor)).item() == pytest.approx(value, rel=1e-13)
    leaf = torch.tensor(h, requires_grad=True)
    assert torch.autograd.gradcheck(lambda h: radial_penalty(h, **called(call, torch.tensor)), leaf)
    with jax.enable_x64(True):

        def f(h):
            return radial_penalty(h, **called(call, jnp.array))

        alone, alone_slope = quick_jit(jax.value_and_grad(f))(h)
        assert float(alone) == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(alone_slope, wanted, rtol=1e-12)
        values, slopes = quick_jit(jax.vmap(jax.value_and_grad(f)))(np.stack([h, 2 * h]))
        assert float(values[0]) == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(slopes[0], wanted, rtol=1e-12)
        assert float(values[1]) != pytest.approx(value)


@pytest.mark.parametrize(
    ("backend", "call"),
    [("aot_eager", call) for call in CALLS.values()] + [("inductor", CALLS["masked"])],
    ids=[*CALLS, "inductor-masked"],
)
def test_torch_compiles_it_whole_without_a_warning(backend, call):
    call = called(call, torch.tensor)
    h = torch.tensor(normal(4, 6), dtype=torch.float32, requires_grad=True)
    torch.compiler.reset()
    compiled = torch.compile(lambda h: radial_penalty(h, **call), fullgraph=True, backend=backend)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = compiled(h)
    # PyTorch's own deprecations while it loads its compiler are not ours
    assert [str(w.message) for w in caught if "torch.jit" not in str(w.message)] == []
    torch.testing.assert_close(got, radial_penalty(h, **call))
    slopes = [torch.autograd.grad(value, h)[0] for value in (got, radial_penalty(h, **call))]
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    h = torch.tensor(normal(8, 300, scale=3.0)).to(getattr(torch, dtype))
    mask = torch.tensor([1, 0, 1, 1, 1, 0, 1, 1])
    for given_mask in (None, mask):
        got, wanted = (radial_penalty(x, 0.7, given_mask) for x in (h, h.float()))
        assert got.dtype == torch.float32 and torch.equal(got, wanted)
        leaf = h.clone().requires_grad_()
        radial_penalty(leaf, 0.7, given_mask).backward()
        assert leaf.grad.dtype == h.dtype and torch.isfinite(leaf.grad).all()
    rounded = jnp.asarray(h.float().numpy())
    got = radial_penalty(rounded.astype(getattr(jnp, dtype)), 0.7)
    assert got.dtype == jnp.float32 and got == radial_penalty(rounded, 0.7)
    # control: in half precision throughout, the numbers would differ
    assert torch.mean((h.norm(dim=-1) - 0.7 * math.sqrt(300)) ** 2 / 300).item() != pytest.approx(
        wanted.item(), rel=1e-6
    )


@pytest.mark.parametrize("mask", [None, np.ones(2)])
def test_integers_are_refused(mask):
    with pytest.raises(TypeError, match="^expected a floating-point array, got dtype int64: convert it first$"):
        radial_penalty(np.ones((2, 3), np.int64), mask=mask)


@every_call
def test_the_penalty_of_radii_is_the_penalty_of_their_vectors_in_either_unit(call):
    h = normal(4, 6, scale=1.2)
    wanted, call = float(radial_penalty(h, **called(call, np.array))), called(call, np.array)
    r = np.linalg.norm(h, axis=-1)
    assert float(penalty_of_radius(r, width=6, **call)) == pytest.approx(wanted, rel=1e-13)
    assert float(penalty_of_radius(r / math.sqrt(6), **call)) == pytest.approx(wanted, rel=1e-13)
    assert float(penalty_of_radius(r, **call)) != pytest.approx(wanted)  # control: the width matters


@sides
def test_a_masked_radius_may_be_nan_and_has_gradient_0(side):
    r = torch.tensor([0.3, math.nan, 2.0], dtype=torch.float64, requires_grad=True)
    value = penalty_of_radius(r, 1.0, torch.tensor([1, 0, 1]), side=side)
    value.backward()
    assert value.item() == pytest.approx(float(penalty_of_radius(np.array([0.3, 2.0]), side=side)))
    assert r.grad[1] == 0 and torch.isfinite(r.grad).all()


def test_an_unknown_side_is_refused():
    with pytest.raises(ValueError, match="^side must be 'both', 'outer' or 'inner', got 'left'$"):
        radial_penalty(np.ones((2, 3)), side="left")

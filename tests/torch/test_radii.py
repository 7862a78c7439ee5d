"""The radius that taps take: its value, and its gradients where a norm's own are NaN."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.autograd.functional import hessian
from torch.func import functional_call, grad, jvp, vmap

from anglewise import radial_penalty, radius
from anglewise.torch import RadialSuppression
from anglewise.torch.radii import scaled_radius

# PyTorch's forward mode loads its deprecated scripting
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
MASK = torch.tensor([1, 0, 1, 1])


def compiled(h, axis=-1):
    """The same under the compiler, which traces other operations."""
    torch.compiler.reset()
    return torch.compile(lambda h: scaled_radius(h, axis), fullgraph=True, backend="aot_eager")(h)


EVERY_WAY = pytest.mark.parametrize("take", [scaled_radius, compiled], ids=["eager", "compiled"])


@EVERY_WAY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_radii_and_gradients_agree_with_the_geometry(take, dtype):
    h = (torch.randn(5, 16, generator=torch.Generator().manual_seed(0)) * 3).to(dtype)
    h[2] = 0
    leaves = [h.clone().requires_grad_() for _ in range(2)]
    values = take(leaves[0]), radius(leaves[1]) / 4
    torch.testing.assert_close(*values)
    assert values[0].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    for value in values:
        (value - 1).square().mean().backward()
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad)
    assert leaves[0].grad.dtype == dtype and not leaves[0].grad[2].any()


@EVERY_WAY
def test_the_width_may_be_any_axis(take):
    h = torch.randn(2, 6, 3, requires_grad=True)
    torch.testing.assert_close(take(h, 1), radius(h.movedim(1, -1)) / math.sqrt(6))
    take(h, 1).square().sum().backward()
    torch.testing.assert_close(h.grad, 2 * h.detach() / 6)


def test_first_and_second_derivatives_are_those_of_finite_differences():
    h = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(scaled_radius, h, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(scaled_radius, h)


def test_second_derivatives_at_length_0_are_0_and_elsewhere_the_geometrys():
    h = torch.randn(3, 4, dtype=torch.float64)
    h[1] = 0
    ours, theirs = (hessian(lambda h, f=f: (f(h) - 0.5).square().sum(), h) for f in (scaled_radius, half_radius))
    torch.testing.assert_close(ours, theirs)
    assert not ours[1].any() and ours[0].any()
    norm = hessian(lambda h: (torch.linalg.vector_norm(h, dim=-1) / 2 - 0.5).square().sum(), h)
    assert norm[1].isnan().any()  # control: PyTorch's own norm


def half_radius(h):
    return radius(h) / 2


def test_a_gradient_penalty_through_the_drop_in_is_finite_at_length_0():
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    suppression = RadialSuppression(model, "0", 1.0)
    x = torch.randn(3, 4, requires_grad=True)
    loss = model(x).sum() + suppression.penalty()
    (slope,) = torch.autograd.grad(loss, x, create_graph=True)
    slope.square().sum().backward()
    assert model[0].weight.grad.isfinite().all()


@EVERY_WAY
@pytest.mark.parametrize("filler", [math.nan, math.inf, -math.inf])
def test_what_a_masked_vector_holds_reaches_no_gradient(take, filler):
    h = torch.randn(4, 6)
    h[1, 2] = filler
    leaf = h.clone().requires_grad_()
    rho = take(leaf)
    assert not rho[1].isfinite() and rho[MASK != 0].isfinite().all()
    torch.where(MASK != 0, rho - 1, 0).square().mean().backward()
    assert leaf.grad.isfinite().all() and not leaf.grad[1].any() and leaf.grad[0].any()


@EVERY_WAY
def test_control_without_the_mask_the_gradient_of_that_vector_is_nan(take):
    h = torch.randn(4, 6)
    h[1, 2] = math.nan
    h.requires_grad_()
    (take(h) - 1).square().mean().backward()
    assert h.grad[1].isnan().any() and h.grad[MASK != 0].isfinite().all()


@pytest.mark.parametrize("call", ["eager", "compiled"])
def test_padding_that_holds_nan_trains_the_model_as_if_it_were_not_there(call):
    class Padded(nn.Module):
        """What lies behind the mask is NaN at the site, and finite before it."""

        def __init__(self):
            super().__init__()
            self.embed, self.site = nn.Linear(4, 8), nn.Identity()

        def forward(self, x, keep):
            return self.site(torch.where(keep[:, None] != 0, self.embed(x), math.nan))

    torch.manual_seed(0)
    model, x = Padded(), torch.randn(4, 4)
    suppression = RadialSuppression(model, "site", 1.0)
    run = torch.compile(model, backend="aot_eager") if call == "compiled" else model
    run(x, MASK)
    suppression.penalty(mask=MASK).backward()
    got = model.embed.weight.grad
    model.embed.weight.grad = None
    radial_penalty(model.embed(x[MASK != 0])).backward()
    torch.testing.assert_close(got, model.embed.weight.grad)


def test_per_sample_gradients_and_forward_mode_pass_an_attached_model():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    x, parameters = torch.randn(5, 4), dict(model.named_parameters())

    def loss(parameters, x):
        return functional_call(model, parameters, (x,)).square().mean()

    def tangents():
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(model(forward_ad.make_dual(x, torch.ones_like(x)))).tangent

    def both():
        return vmap(grad(loss), (None, 0))(parameters, x)["0.weight"], jvp(model, (x,), (torch.ones_like(x),))[1]

    wanted, along = both(), tangents()
    suppression = RadialSuppression(model, "0")
    for got, want in zip((*both(), tangents()), (*wanted, along), strict=True):
        torch.testing.assert_close(got, want)
    suppression.detach()

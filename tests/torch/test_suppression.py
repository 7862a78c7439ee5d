"""The penalty's number, its settings, and when it is zero."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from anglewise import radial_penalty as functional
from anglewise import radius
from anglewise.penalty import penalty_of_radius
from anglewise.torch import AttachError, RadialSuppression, radial_penalty
from anglewise.torch.radii import scaled_radius

MASK = torch.tensor([[1, 1, 0, 0]] * 4 + [[1, 1, 1, 1]] * 4)


def outputs(net, batch):
    """The outputs of the mlp modules, by hand, of a copy that has no live hooks."""
    net = copy.deepcopy(net)
    found, h = [], batch
    for block in net.blocks:
        h = h + block.attn(h)
        found.append(block.mlp(h))
        h = h + found[-1]
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_radii_agree_with_the_geometry(dtype):
    h = torch.randn(5, 16).to(dtype)
    assert torch.allclose(scaled_radius(h), radius(h) / 4)


def test_a_zero_vector_gets_no_gradient():
    h = torch.zeros(2, 4, requires_grad=True)
    penalty_of_radius(scaled_radius(h), 1.0).backward()
    assert torch.equal(h.grad, torch.zeros(2, 4))


@pytest.mark.parametrize("mask", [None, MASK, MASK * 0, MASK * 0.5])
@pytest.mark.parametrize("side", ["both", "outer", "inner"])
def test_the_fused_radius_is_charged_like_the_activation(batch, side, mask):
    wanted = functional(batch, 1.5, mask, side=side)
    got = penalty_of_radius(scaled_radius(batch), 1.5, mask, side=side)
    assert torch.allclose(got, wanted)
    assert side == "both" or mask is None or not mask.any() or got != functional(batch, 1.5, mask)


def test_penalty_sums_strength_times_the_mean_over_sites(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp", 0.3, 0.7)
    net(batch)
    wanted = 0.3 * sum(radial_penalty(h, 0.7) for h in outputs(net, batch))
    assert torch.allclose(suppression.penalty(), wanted)


def test_over_mean_divides_by_the_number_of_calls(make_net, batch):
    net = make_net()
    total, mean = (RadialSuppression(net, "blocks.*.mlp", over=over) for over in ("sum", "mean"))
    net(batch)
    assert torch.allclose(mean.penalty() * 2, total.penalty())


def test_padding_counts_neither_above_nor_below(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.0.mlp", 1.0)
    net(batch)
    got = suppression.penalty(mask=MASK)
    assert torch.allclose(got, radial_penalty(outputs(net, batch)[0][MASK.bool()]))
    assert suppression.readings()["blocks.0.mlp/radius"] == pytest.approx(
        float(scaled_radius(outputs(net, batch)[0])[MASK.bool()].mean().detach())
    )
    net(batch)
    assert not torch.allclose(suppression.penalty(), got)


def test_a_mask_that_does_not_fit_names_both_shapes(make_net, batch):
    suppression = RadialSuppression(net := make_net(), "blocks.0.mlp")
    net(batch)
    with pytest.raises(ValueError, match=r"mask of shape \(3,\) for site 'blocks.0.mlp'.*\(8, 4\)"):
        suppression.penalty(mask=torch.ones(3))
    net(batch)
    with pytest.raises(ValueError, match="got a mask of type list for site 'blocks.0.mlp', expected a tensor or None"):
        suppression.penalty(mask=[1.0])


@pytest.mark.parametrize("strength", [{"blocks.0.*": 0.2, "*": 0.0}, [0.2, 0.0], (lambda step: 0.2 * step, 0.0)])
def test_each_site_may_have_its_own_strength(make_net, batch, strength):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp", strength)
    net(batch)
    assert torch.allclose(suppression.penalty(step=1), 0.2 * radial_penalty(outputs(net, batch)[0]))


def test_schedules_get_the_step_and_keep_no_state(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.0.mlp", lambda step: step / 10, lambda step: step / 5)
    for step in (3, 0, 3):
        net(batch)
        wanted = step / 10 * radial_penalty(outputs(net, batch)[0], step / 5)
        assert torch.allclose(suppression.penalty(step=step), torch.as_tensor(wanted))
    net(batch)
    with pytest.raises(ValueError, match=r"strength is a function of the step.*penalty\(step=...\)"):
        suppression.penalty()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strength": -1}, "strength: expected a finite number of at least 0, got -1"),
        ({"strength": None}, "strength: expected a finite number of at least 0, got None"),
        ({"target": "far"}, "target: expected a finite number of at least 0, got 'far'"),
        ({"axis": 1.0}, "axis: expected an integer, got 1.0"),
        ({"select": 0}, "select must be a function of what the module gives, or None, got 0"),
        ({"target": math.nan}, "target: expected a finite number"),
        ({"strength": [1.0]}, "strength: got 1 values for 2 sites"),
        ({"strength": {"nowhere": 1.0, "*": 0.0}}, "strength: nowhere matched no site"),
        ({"target": {"blocks.0.*": 1.0}}, "no glob matched no site and blocks.1.mlp was left without"),
        ({"side": "up"}, "side must be one of 'both', 'outer', 'inner', got 'up'"),
        ({"over": "max"}, "over must be one of 'sum', 'mean', got 'max'"),
        ({"forwards": "two"}, "forwards must be one of 'one', 'several', got 'two'"),
        ({"axis": [1]}, "axis: got 1 values for 2 sites"),
        ({"axis": {"blocks.0.*": 1}}, "axis: no glob matched no site and blocks.1.mlp was left without"),
        ({"where": "inside"}, "where must be one of 'output', 'input', got 'inside'"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(make_net, settings, message):
    with pytest.raises(ValueError, match=message):
        RadialSuppression(make_net(), "blocks.*.mlp", **settings)


def test_penalty_is_zero_in_eval_mode_and_without_gradients(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp")
    net.eval()
    net(batch)
    zero = suppression.penalty()
    assert zero.shape == () and zero == 0 and not zero.requires_grad and zero.device == batch.device
    net.train()
    with torch.no_grad():
        net(batch)
        assert suppression.penalty() == 0
    net(batch)
    assert suppression.penalty() > 0


def test_half_precision_norms_are_taken_in_float32(batch):
    model = nn.Sequential(nn.Linear(8, 8).bfloat16())
    suppression = RadialSuppression(model, "0", 1.0)
    h = model(batch.bfloat16())
    penalty = suppression.penalty()
    assert penalty.dtype == torch.float32
    assert torch.allclose(penalty, radial_penalty(h.float()))


def test_nan_in_an_activation_gives_a_nan_penalty(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp")
    batch[0, 0, 0] = math.nan
    net(batch)
    assert suppression.penalty().isnan()


class Experts(nn.Module):
    """Three experts of which the gate, as it is set below, leaves one without a row."""

    def __init__(self):
        super().__init__()
        self.gate, self.experts = nn.Linear(4, 3), nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.gate.bias.data = torch.tensor([0.0, -9.0, 0.0])

    def forward(self, x):
        which, y = self.gate(x).argmax(-1), torch.zeros_like(x)
        for k, expert in enumerate(self.experts):
            y[which == k] = expert(x[which == k])
        return y


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("over", ["sum", "mean"])
def test_a_site_without_vectors_adds_nothing(partial, over):
    torch.manual_seed(0)
    model, x = Experts(), torch.randn(6, 4)
    suppression = RadialSuppression(model, "experts.*", 1.0, partial=partial, over=over)
    model(x)
    penalty = suppression.penalty()
    penalty.backward()
    which = model.gate(x).argmax(-1)
    wanted = sum(radial_penalty(model.experts[k](x[which == k])) for k in (0, 2))
    assert {0, 2} == set(which.tolist()) and torch.allclose(penalty, wanted / (3 if over == "mean" else 1))
    assert all(p.grad.isfinite().all() for p in model.experts.parameters())
    assert not model.experts[1].weight.grad.any() and model.experts[0].weight.grad.any()
    read = suppression.readings(penalty)
    assert math.isnan(read["experts.1/radius"]) and read["experts.0/radius"] > 0


def test_an_empty_batch_has_penalty_0(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp")
    net(batch[:0])
    assert suppression.penalty() == 0


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_a_loss_of_exactly_0_has_a_reading_and_no_share(make_net, batch, strength):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.0.mlp", strength)
    net(batch)
    suppression.penalty()
    for loss in (0.0, torch.zeros(())):
        read = suppression.readings(loss)
        assert math.isnan(read["penalty_share"]) and read["blocks.0.mlp/radius"] > 0


def test_readings_summarise_the_last_forward(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.0.mlp")
    with pytest.raises(AttachError, match="no readings yet: call penalty"):
        suppression.readings()
    loss = net(batch).square().mean() + (penalty := suppression.penalty())
    read = suppression.readings(loss)
    rho = scaled_radius(outputs(net, batch)[0]).flatten().detach()
    assert read["penalty"] == penalty.item()
    assert read["penalty_share"] == pytest.approx((penalty / loss).item())
    assert read["blocks.0.mlp/radius"] == pytest.approx(float(rho.mean()))
    assert read["blocks.0.mlp/radius_std"] == pytest.approx(float(rho.std(correction=0)))
    for q in (5, 50, 95):
        assert read[f"blocks.0.mlp/radius_q{q:02d}"] == pytest.approx(float(rho.quantile(q / 100)), rel=1e-5)

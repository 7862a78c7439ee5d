"""What the probe reads, and that reading leaves no trace."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from anglewise import radial_energy
from anglewise.torch import AttachError, RadialProbe, RadialSuppression


def loss_fn(model, batch):
    return model(batch).square().mean()


def test_radial_energy_is_that_of_the_task_gradient(make_net, batch):
    net = make_net()
    suppression = RadialSuppression(net, "blocks.*.mlp", 100.0)
    read = RadialProbe(net, "blocks.1.mlp").measure(lambda m, x: loss_fn(m, x) + suppression.penalty(), batch)
    h = net.blocks[0](batch)
    h = h + net.blocks[1].attn(h)
    a = net.blocks[1].mlp(h).detach().requires_grad_()
    net.head(h.detach() + a).square().mean().backward()
    each = radial_energy(a.grad, at=a.detach()).flatten()
    square = a.grad.square().sum(-1).flatten()
    assert read["blocks.1.mlp/radial_energy"] == pytest.approx(each.mean().item(), rel=1e-4)
    assert read["blocks.1.mlp/radial_energy_median"] == pytest.approx(each.quantile(0.5).item(), rel=1e-4)
    wanted = (each * square).sum() / square.sum()
    assert read["blocks.1.mlp/radial_energy_of_means"] == pytest.approx(wanted.item(), rel=1e-4)
    assert read["blocks.1.mlp/no_gradient"] == 0


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e10])
def test_the_scale_of_the_loss_does_not_matter(make_net, batch, scale):
    probe = RadialProbe(make_net(), "blocks.*.mlp")
    plain, scaled = (probe.measure(lambda m, x, s=s: s * loss_fn(m, x), batch) for s in (1.0, scale))
    name = "blocks.0.mlp/radial_energy"
    assert scaled[name] == pytest.approx(plain[name], rel=1e-3)


def test_vectors_without_a_gradient_are_left_out_and_counted(make_net, batch):
    net = make_net()
    probe = RadialProbe(net, "blocks.1.mlp")
    some = probe.measure(lambda m, x: m(x)[:2].square().mean(), batch)
    all_of_them = probe.measure(loss_fn, batch[:2])
    assert some["blocks.1.mlp/no_gradient"] == 0.75
    energy = "blocks.1.mlp/radial_energy"
    assert some[energy] == pytest.approx(all_of_them[energy], rel=1e-4)
    none = probe.measure(lambda m, x: m(x).sum() * 0, batch)
    assert none["blocks.1.mlp/no_gradient"] == 1 and math.isnan(none[energy])


def test_a_site_that_the_loss_does_not_depend_on_has_no_gradient(batch):
    model = nn.Sequential(nn.Linear(8, 8))
    read = RadialProbe(model, "0").measure(lambda m, x: m(x).detach().sum() + m[0].weight.sum(), batch)
    assert read["0/no_gradient"] == 1


def test_displacement_is_the_change_of_radius_and_the_turn():
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    model[0].weight.data = torch.eye(2)
    probe, x = RadialProbe(model, "0"), torch.tensor([[3.0, 4.0]])

    def moved(weight, batch=x):
        model[0].weight.data = torch.tensor(weight)
        read = probe.measure(loss_fn, batch)
        return read["0/radial_displacement"], read["0/angular_displacement"]

    assert all(map(math.isnan, moved([[1.0, 0.0], [0.0, 1.0]])))
    assert moved([[2.0, 0.0], [0.0, 2.0]]) == pytest.approx((5 / math.sqrt(2), 0), abs=1e-6)
    # a quarter turn is a turn, however far: all of it is angular, chord 10 sqrt(2) over sqrt(d)
    assert moved([[0.0, -2.0], [2.0, 0.0]]) == pytest.approx((0, 10), abs=1e-5)
    assert moved([[0.0, 2.0], [-2.0, 0.0]]) == pytest.approx((0, 20 / math.sqrt(2)), abs=1e-5)
    assert all(map(math.isnan, moved([[1.0, 0.0], [0.0, 1.0]], batch=x.clone())))


def test_displacements_of_several_vectors_are_root_mean_squares():
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    model[0].weight.data = torch.eye(2)
    probe, x = RadialProbe(model, "0"), torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    probe.measure(loss_fn, x)
    model[0].weight.data = torch.diag(torch.tensor([2.0, 1.0]))
    assert probe.measure(loss_fn, x)["0/radial_displacement"] == pytest.approx(math.sqrt(9 / 2 / 2))


def test_a_vector_of_length_0_has_no_radial_energy_and_is_counted():
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    model[0].weight.data = torch.eye(2)
    read = RadialProbe(model, "0").measure(lambda m, x: m(x).sum(), torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    assert read["0/radial_energy"] == pytest.approx(2) and read["0/no_gradient"] == 0.5


def test_ranks_are_those_of_the_activations():
    model = nn.Sequential(nn.Identity())
    read = RadialProbe(model, "0").measure(loss_fn, torch.diag(torch.tensor([2.0, 1.0])))
    assert read["0/sigma_max"] == pytest.approx(2)
    assert read["0/stable_rank"] == pytest.approx(1.25)
    assert read["0/effective_rank"] == pytest.approx(1.8899, rel=1e-4)
    assert read["0/radius"] == pytest.approx(1.5 / math.sqrt(2))
    few = RadialProbe(model, "0", rows=1).measure(loss_fn, torch.eye(4))
    assert few["0/effective_rank"] == pytest.approx(1)


@pytest.mark.parametrize("inplace", [False, True])
def test_an_inplace_module_after_the_site_changes_nothing(batch, inplace):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    wanted = RadialProbe(model, "0").measure(loss_fn, batch)
    model[1].inplace = inplace
    assert RadialProbe(model, "0").measure(loss_fn, batch) == pytest.approx(wanted, nan_ok=True)
    assert model[1].inplace is inplace


def test_frozen_models_and_inputs_can_be_measured(make_net, batch):
    net = make_net()
    wanted = RadialProbe(net, "blocks.0.mlp").measure(loss_fn, batch)
    net.requires_grad_(False)
    assert RadialProbe(net, "blocks.0.mlp").measure(loss_fn, batch) == pytest.approx(wanted, nan_ok=True)
    with torch.no_grad():
        read = RadialProbe(net, "blocks.0", where="input").measure(loss_fn, batch)
    assert read["blocks.0/radial_energy"] > 0
    assert not batch.requires_grad


def test_compiled_models_are_measured_without_recompiling(make_net, batch):
    net = make_net()
    wanted = RadialProbe(net, "blocks.*.mlp").measure(loss_fn, batch)
    from torch._dynamo.testing import CompileCounterWithBackend

    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(net, backend=counter)
    compiled(batch)
    assert RadialProbe(compiled, "blocks.*.mlp").measure(loss_fn, batch) == pytest.approx(wanted, nan_ok=True)
    compiled(batch)
    assert counter.frame_count == 1


def test_measuring_does_not_change_training(batch):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return x + torch.rand(())

    def train(measuring):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), Counting(), nn.Linear(8, 2)
        )
        model[3].eval()
        suppression = RadialSuppression(model, "0")
        probe = RadialProbe(model, ["0", "3"])
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        for _ in range(4):
            if measuring:
                probe.measure(loss_fn, batch[0])
                assert [m.training for m in model] == [True, True, True, False, True, True]
            loss = loss_fn(model, batch[0])
            if measuring:
                probe.measure(loss_fn, batch[0])
            (loss + suppression.penalty()).backward()
            if measuring:
                before = copy.deepcopy([p.grad for p in model.parameters()])
                probe.measure(loss_fn, batch[0])
                assert all(map(torch.equal, before, [p.grad for p in model.parameters()]))
            optimizer.step()
        return model.state_dict(), torch.rand(3)

    (one, draw), (two, other) = train(measuring=False), train(measuring=True)
    assert all(torch.equal(one[k], two[k]) for k in one) and torch.equal(draw, other)


def test_a_site_that_is_not_reached_is_named(make_net, batch):
    probe = RadialProbe(make_net(), ["blocks.1.mlp", "head"])
    with pytest.raises(AttachError, match=r"without reaching head: expected loss_fn to call"):
        probe.measure(lambda m, x: m.blocks[1].mlp(x).sum(), batch)
    assert not any(m._forward_hooks for m in probe._model.modules())


def test_what_is_no_activation_is_refused():
    model = nn.Sequential(nn.Embedding(5, 4))
    with pytest.raises(AttachError, match=r"site '0': expected a floating-point activation, got torch.int64"):
        RadialProbe(model, "0", where="input").measure(loss_fn, torch.tensor([1]))

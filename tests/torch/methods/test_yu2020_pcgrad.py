from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from anglewise.errors import AttachError
from anglewise.torch import RadialSuppression
from anglewise.torch.methods import pcgrad_backward

VARIANTS = ("symmetric", "protect-task", "protect-penalty")


def conflicting(seed=0):
    """Parameters whose two losses have given gradients, at an obtuse angle."""
    draw = torch.Generator().manual_seed(seed)
    params = [torch.zeros(4, 3, dtype=torch.float64), torch.zeros(5, dtype=torch.float64)]
    task = [torch.randn(p.shape, generator=draw, dtype=torch.float64) for p in params]
    penalty = [
        torch.randn(p.shape, generator=draw, dtype=torch.float64) - 0.5 * g for p, g in zip(params, task, strict=True)
    ]
    assert sum((g * h).sum() for g, h in zip(task, penalty, strict=True)) < 0
    return [p.requires_grad_() for p in params], task, penalty


def linear(params, slopes):
    return sum((p * g).sum() for p, g in zip(params, slopes, strict=True))


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_parameters_are_one_vector_of_which_each_side_loses_what_is_against_the_other(variant):
    params, task, penalty = conflicting()
    pcgrad_backward(linear(params, task), linear(params, penalty), params, variant=variant)
    g, h = (torch.cat([part.flatten() for part in side]) for side in (task, penalty))
    left = g if variant == "protect-task" else g - (g @ h) / (h @ h) * h
    right = h if variant == "protect-penalty" else h - (g @ h) / (g @ g) * g
    found = torch.cat([p.grad.flatten() for p in params])
    torch.testing.assert_close(found, left + right)
    assert not torch.allclose(found, g + h)  # control: there was a conflict


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_known_conflict(variant):
    w = torch.tensor([1.0, 1.0], requires_grad=True)
    pcgrad_backward(w[0], w[1] - w[0], [w], variant=variant)
    wanted = {"symmetric": [0.5, 1.5], "protect-task": [1.0, 1.0], "protect-penalty": [-0.5, 1.5]}[variant]
    assert w.grad.tolist() == wanted


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_without_a_conflict_it_is_the_plain_backward_pass(strength):
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.randn(5, 4)
    plain = copy.deepcopy(model)
    suppression = RadialSuppression(model, "0", strength, target=0.0)
    other = RadialSuppression(plain, "0", strength, target=0.0)
    for net, one in ((model, suppression), (plain, other)):
        loss = net(x).square().mean()
        if net is model:
            pcgrad_backward(loss, one.penalty(), net.parameters())
        else:
            (loss + one.penalty()).backward()
    for p, q in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


def test_gradients_accumulate_and_a_scaled_loss_is_a_scaled_gradient():
    params, task, penalty = conflicting()
    pcgrad_backward(linear(params, task), linear(params, penalty), params)
    one = [p.grad.clone() for p in params]
    pcgrad_backward(3 * linear(params, task), 3 * linear(params, penalty), params)
    for p, g in zip(params, one, strict=True):
        torch.testing.assert_close(p.grad, 4 * g)


def test_parameters_that_neither_loss_depends_on_keep_no_gradient():
    used, unused, frozen = (torch.ones(2, requires_grad=on) for on in (True, True, False))
    pcgrad_backward(used.sum(), used[0] * 0.5, [used, unused, frozen])
    assert used.grad.tolist() == [1.5, 1.0] and unused.grad is None and frozen.grad is None


def test_what_cannot_be_meant_is_refused(tmp_path, monkeypatch):
    w = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="got variant='protect', expected one of 'symmetric', 'protect-task'"):
        pcgrad_backward(w.sum(), w.sum(), [w], variant="protect")
    with pytest.raises(ValueError, match="got no parameter that requires a gradient"):
        pcgrad_backward(w.sum(), w.sum(), [])
    for name, value in (("is_initialized", True), ("get_world_size", 2)):
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    with pytest.raises(AttachError, match="works on the gradients of one process, and several train"):
        pcgrad_backward(w.sum(), w.sum(), [w])

"""Filters under loss scaling and in half precision."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.optim import SGD, AdamW

from anglewise.torch.methods import ClipRows, GrokfastEMA, OrthoGrad
from tests.support.filters import BASES, FILTERS, equal, every_base, every_filter


@every_base
@every_filter
def test_a_step_that_overflowed_leaves_no_trace(attach, base, toy, loss_at):
    """GradScaler with an infinite gradient at step 2 = the same run without that step."""
    models = []
    for overflow in (False, True):
        model = toy()
        optimizer = base(model.parameters())
        attach(optimizer)
        ClipRows(optimizer, model, c=0.9)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=10**6, backoff_factor=1.0 - 1e-9)
        for step in range(6):
            if step == 2 and not overflow:
                continue
            optimizer.zero_grad()
            scaler.scale(loss_at(model, step)).backward()
            if step == 2:
                model.first.weight.grad[0, 0] = torch.inf
            scaler.step(optimizer)
            scaler.update()
        assert all(p.isfinite().all() for p in model.parameters())
        models.append(model)
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


@every_base
@pytest.mark.parametrize("unscale", [False, True])
@every_filter
def test_the_loss_scale_never_reaches_the_filter(attach, unscale, base, toy, train, loss_at):
    plain, scaled = toy(), toy()
    optimizer = base(plain.parameters())
    attach(optimizer)
    train(plain, optimizer)
    optimizer = base(scaled.parameters())
    attach(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)  # the scale changes on the way
    for step in range(6):
        optimizer.zero_grad()
        scaler.scale(loss_at(scaled, step)).backward()
        if unscale:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    assert scaler.get_scale() == 2.0**13
    assert equal(plain, scaled)


@pytest.mark.parametrize("name", ["ema", "ma"])
def test_a_skipped_step_leaves_the_memory_alone(name, toy, loss_at):
    for base in (BASES["adamw"], BASES["adamw fused"]):
        model = toy()
        optimizer = base(model.parameters())
        FILTERS[name](optimizer)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        memories = []
        for step in range(3):
            optimizer.zero_grad()
            scaler.scale(loss_at(model, step)).backward()
            if step == 1:
                model.first.weight.grad.fill_(torch.nan)
            scaler.step(optimizer)
            scaler.update()
            state = optimizer.state[model.first.weight]
            memories.append(copy.deepcopy({k: v for k, v in state.items() if k.startswith("grokfast")}))
        assert str(memories[0]) == str(memories[1]) != str(memories[2])


@every_filter
def test_two_filters_unscale_once(attach, toy, train, loss_at):
    """Under a fused base, whose kernel would unscale, the first filter does, and nobody else."""
    other = OrthoGrad if attach is not OrthoGrad else FILTERS["ema"]
    plain, scaled = toy(), toy()
    for model in (plain, scaled):
        optimizer = AdamW(model.parameters(), lr=0.01, fused=True)
        attach(optimizer)
        other(optimizer)
        scaler = torch.amp.GradScaler("cpu", init_scale=256.0, enabled=model is scaled)
        for step in range(4):
            optimizer.zero_grad()
            scaler.scale(loss_at(model, step)).backward()
            scaler.step(optimizer)
            scaler.update()
    assert equal(plain, scaled)


@every_filter
def test_half_precision_parameters_stay_half_and_finite(attach, toy, train):
    model = toy(torch.bfloat16)
    optimizer = SGD(model.parameters(), lr=0.1)
    attach(optimizer)
    train(model, optimizer)
    assert all(p.dtype == torch.bfloat16 and p.isfinite().all() for p in model.parameters())


@every_filter
def test_bfloat16_autocast_trains(attach, toy, loss_at):
    model = toy()
    optimizer = AdamW(model.parameters())
    attach(optimizer)
    for step in range(4):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_at(model, step)
        loss.backward()
        optimizer.step()
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_grad_scale_of_the_users_own_is_obeyed_and_kept():
    w = torch.ones(1, requires_grad=True)
    optimizer = SGD([w], lr=1.0, fused=True)
    GrokfastEMA(optimizer, lamb=0.0)
    optimizer.grad_scale = torch.tensor(4.0)
    optimizer.found_inf = torch.tensor(0.0)
    for left in (0.75, 0.5):
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        assert w.item() == left and optimizer.grad_scale.item() == 4.0

"""Loops that need no adapter: mixed precision with a loss scaler, and Accelerate."""

from __future__ import annotations

import pytest
import torch

from anglewise.torch import RadialSuppression
from tests.support.language import SITES, STRENGTH, TARGET, Language, cross_entropy, flat, reference


@pytest.mark.parametrize("accumulate", [1, 4])
def test_grad_scaler_gives_the_gradient_of_one_big_batch(accumulate, tokens, labels):
    model = Language()
    suppression = RadialSuppression(model, SITES, STRENGTH, TARGET)
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    scaler, before = torch.amp.GradScaler("cpu", init_scale=65536.0), flat(model)
    for x, y in zip(tokens.chunk(accumulate), labels.chunk(accumulate), strict=True):
        loss = cross_entropy(model(x), y) + suppression.penalty()
        scaler.scale(loss / accumulate).backward()
    scaler.step(optimizer)
    scaler.update()
    torch.testing.assert_close(before - flat(model), reference(tokens, labels), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_with_grad_scaler_gives_nearly_the_gradient(dtype, tokens, labels):
    model = Language().float()
    suppression = RadialSuppression(model, SITES, STRENGTH, TARGET)
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    scaler, before = torch.amp.GradScaler("cpu", init_scale=1024.0), flat(model)
    with torch.autocast("cpu", dtype):
        loss = cross_entropy(model(tokens), labels)
    scaler.scale(loss + suppression.penalty()).backward()
    scaler.step(optimizer)
    torch.testing.assert_close(before - flat(model), reference(tokens, labels).float(), rtol=0.05, atol=5e-3)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_accelerate_gives_the_gradient_of_one_big_batch(accumulate, tokens, labels):
    accelerate = pytest.importorskip("accelerate")
    model = Language()
    suppression = RadialSuppression(model, SITES, STRENGTH, TARGET)
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
    optimizer, before = torch.optim.SGD(model.parameters(), 1.0), flat(model)
    model, optimizer = accelerator.prepare(model, optimizer)
    for x, y in zip(tokens.chunk(accumulate), labels.chunk(accumulate), strict=True):
        with accelerator.accumulate(model):
            accelerator.backward(cross_entropy(model(x), y) + suppression.penalty())
            optimizer.step()
            optimizer.zero_grad()
    torch.testing.assert_close(before - flat(model), reference(tokens, labels), rtol=1e-9, atol=1e-12)


def test_control_a_wrong_strength_is_seen(tokens, labels):
    model = Language()
    suppression = RadialSuppression(model, SITES, STRENGTH / 2, TARGET)
    (cross_entropy(model(tokens), labels) + suppression.penalty()).backward()
    got = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert (got - reference(tokens, labels)).abs().max() > 1e-3

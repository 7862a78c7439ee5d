from __future__ import annotations

import pytest
import torch
from torch.optim import SGD, Adam, AdamW

from anglewise.errors import AnglewiseError
from anglewise.torch.methods import GrokfastEMA, GrokfastMA, scale_learning_rate


def constant_gradient(attach, steps, make=lambda w: SGD([w], lr=1.0)):
    """Where the weight is after each step under a gradient that is always 1."""
    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = make(w)
    attach(optimizer)
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        path.append(w.item())
    return path


def test_published_and_released_constants_are_two_variants():
    assert GrokfastEMA.PUBLISHED == {"alpha": 0.98, "lamb": 2.0}
    assert GrokfastEMA.COMMAND_LINE == {"alpha": 0.99, "lamb": 5.0}
    assert GrokfastMA.PUBLISHED == {"window": 100, "lamb": 5.0}
    assert constant_gradient(GrokfastEMA, 3) == constant_gradient(lambda o: GrokfastEMA(o, **GrokfastEMA.PUBLISHED), 3)
    assert (
        constant_gradient(GrokfastMA, 101)[-1]
        == constant_gradient(lambda o: GrokfastMA(o, **GrokfastMA.PUBLISHED), 101)[-1]
        == pytest.approx(-(99 + 2 * 6))
    )


def test_under_a_constant_gradient_the_filter_is_a_larger_learning_rate():
    control = constant_gradient(lambda o: scale_learning_rate(o, 1 + 2.0), 4)
    assert constant_gradient(GrokfastEMA, 4) == pytest.approx(control)
    assert constant_gradient(lambda o: None, 4) != pytest.approx(control)


@pytest.mark.parametrize(
    "attach",
    [
        lambda o: GrokfastEMA(o, equal_learning_rate=True),
        lambda o: GrokfastMA(o, 2, equal_learning_rate=True),
        lambda o: GrokfastMA(o, 2, filter_type="sum", equal_learning_rate=True),
        lambda o: GrokfastMA(o, 4, warmup=False, filter_type="sum", equal_learning_rate=True),
    ],
)
def test_at_equal_learning_rate_a_constant_gradient_passes_unchanged(attach):
    assert constant_gradient(attach, 5) == pytest.approx([-1, -2, -3, -4, -5])


@pytest.mark.parametrize(("make", "blind"), [(Adam, True), (SGD, False)])
def test_dividing_the_gradient_is_invisible_to_adam_and_not_to_sgd(make, blind, toy, train):
    ends = []
    for divide in (False, True):
        model = toy(torch.float64)
        optimizer = make(model.parameters(), lr=0.01, **({"eps": 0.0} if blind else {}))
        model.spare.requires_grad_(False)
        GrokfastEMA(optimizer, equal_learning_rate=divide)
        train(model, optimizer)
        ends.append(model.first.weight.detach())
    assert torch.allclose(*ends, rtol=1e-9) is blind


@pytest.mark.parametrize("attach", [lambda o: GrokfastEMA(o, lamb=0.0), lambda o: GrokfastMA(o, 2, lamb=0.0)])
def test_lamb_zero_is_off_bit_for_bit(attach, toy, train):
    plain, off = toy(), toy()
    train(plain, AdamW(plain.parameters()))
    optimizer = AdamW(off.parameters())
    attach(optimizer)
    train(off, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), off.parameters(), strict=True))


def test_the_window_keeps_copies_not_views(toy, loss_at):
    """`zero_grad(set_to_none=False)` reuses the gradient's memory; as released, the queue would see that."""
    models = []
    for to_none in (True, False):
        model = toy()
        optimizer = SGD(model.parameters(), lr=0.1)
        GrokfastMA(optimizer, 3)
        for step in range(5):
            optimizer.zero_grad(set_to_none=to_none)
            loss_at(model, step).backward()
            optimizer.step()
        models.append(model)
    assert all(torch.equal(a, b) for a, b in zip(*(m.parameters() for m in models), strict=True))


@pytest.mark.parametrize(("attach", "copies"), [(GrokfastEMA, 1), (lambda o: GrokfastMA(o, 4), 4)])
def test_memory_is_as_many_copies_as_stated(attach, copies):
    w = torch.zeros(3, 5, requires_grad=True)
    optimizer = SGD([w], lr=0.1)
    attach(optimizer)
    for _ in range(6):
        w.grad = torch.ones_like(w)
        optimizer.step()
    held = [v for v in optimizer.state[w].values() if isinstance(v, torch.Tensor)]
    assert sum(v.numel() for v in held) == copies * w.numel()


def test_a_state_of_another_window_is_refused():
    w = torch.zeros(1, requires_grad=True)
    optimizer = SGD([w], lr=0.1)
    filter = GrokfastMA(optimizer, 3)
    w.grad = torch.ones(1)
    optimizer.step()
    filter.remove()
    GrokfastMA(optimizer, 4)
    with pytest.raises(AnglewiseError, match=r"a state with 3 past gradients, expected window=4: load it into"):
        optimizer.step()


def test_groups_added_after_scaling_have_the_scaled_rate_too():
    optimizer = SGD([torch.zeros(1)], lr=0.5)
    scale_learning_rate(optimizer, 3.0)
    optimizer.add_param_group({"params": [torch.zeros(1)]})
    assert [group["lr"] for group in optimizer.param_groups] == [1.5, 1.5]


def test_scaling_under_a_scheduler_is_refused():
    optimizer = SGD([torch.zeros(1)], lr=0.5)
    torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    with pytest.raises(AnglewiseError, match=r"scheduler remembers the old learning rate.*before building"):
        scale_learning_rate(optimizer, 3.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda o: GrokfastEMA(o, alpha=1.0), r"got alpha=1.0, expected 0 <= alpha < 1"),
        (lambda o: GrokfastEMA(o, alpha=-0.1), r"got alpha=-0.1, expected 0 <= alpha < 1"),
        (lambda o: GrokfastEMA(o, lamb=-1.0), r"got lamb=-1.0, expected a finite number >= 0"),
        (lambda o: GrokfastMA(o, lamb=float("nan")), r"got lamb=nan, expected a finite number >= 0"),
        (lambda o: GrokfastMA(o, window=0), r"got window=0, expected a whole number of steps >= 1"),
        (
            lambda o: GrokfastMA(o, window=2.5),
            r"got window=2.5, expected a whole number of steps >= 1",
        ),
        (
            lambda o: GrokfastMA(o, filter_type="median"),
            r"got filter_type='median', expected 'mean' or 'sum'",
        ),
        (lambda o: scale_learning_rate(o, 0.0), r"got factor=0.0, expected a finite number > 0"),
    ],
)
def test_arguments_out_of_range_are_refused_and_leave_nothing_attached(call, message):
    optimizer = SGD([torch.zeros(1)], lr=0.1)
    with pytest.raises(ValueError, match=message):
        call(optimizer)
    GrokfastEMA(optimizer)
    GrokfastMA(optimizer)

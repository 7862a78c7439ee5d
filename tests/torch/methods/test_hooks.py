"""What every filter owes to the loop around it: any base, schedulers, groups, closures; and what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW

from anglewise.errors import AnglewiseError, AttachError
from anglewise.torch.methods import GradientFilter, GrokfastEMA, OrthoGrad
from tests.support.filters import FILTERS, equal, every_filter


@every_filter
def test_the_learning_rate_of_a_scheduler_reaches_the_update(attach, toy, train, loss_at):
    models = []
    for scheduled in (True, False):
        model = toy()
        optimizer = SGD(model.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5) if scheduled else None
        attach(optimizer)  # after the scheduler, which replaces optimizer.step
        for step in range(5):
            if not scheduled:
                optimizer.param_groups[0]["lr"] = 0.1 * 0.5**step
            train(model, optimizer, step, step + 1)
            if scheduler is not None:
                scheduler.step()
        models.append(model)
    assert equal(*models)


@every_filter
def test_a_group_added_later_is_filtered(attach, toy, train):
    models = []
    for later in (True, False):
        model = toy()
        model.head.requires_grad_(False)
        parts = [list(model.first.parameters()), list(model.head.parameters())]
        optimizer = AdamW(parts[0] if later else [{"params": ps} for ps in parts], lr=0.01)
        attach(optimizer)
        train(model, optimizer, 0, 2)
        model.head.requires_grad_(True)
        if later:
            optimizer.add_param_group({"params": parts[1]})
        train(model, optimizer, 2, 6)
        models.append(model)
    assert equal(*models)


@every_filter
def test_a_gradient_that_comes_and_goes_is_filtered_when_there(attach, toy, train):
    """A step in which a parameter has no gradient changes neither it nor its memory."""
    models = []
    for pause in (True, False):
        model = toy()
        optimizer = SGD([*model.first.parameters()], lr=0.1)
        attach(optimizer)
        train(model, optimizer, 0, 3)
        if pause:
            optimizer.zero_grad()
            optimizer.step()
        train(model, optimizer, 3, 6)
        models.append(model)
    assert equal(*models)


@every_filter
@pytest.mark.parametrize("positional", [True, False])
def test_a_closure_is_filtered_after_it_ran(attach, positional, toy, train, loss_at):
    plain, closed = toy(), toy()
    optimizer = AdamW(plain.parameters(), lr=0.01)
    attach(optimizer)
    train(plain, optimizer)
    optimizer = AdamW(closed.parameters(), lr=0.01)
    attach(optimizer)
    for step in range(6):

        def closure(step=step):
            optimizer.zero_grad()
            loss = loss_at(closed, step)
            loss.backward()
            return loss

        loss = optimizer.step(closure) if positional else optimizer.step(closure=closure)
        assert loss.requires_grad
    assert equal(plain, closed)


def test_an_optimizer_that_evaluates_twice_is_refused(toy, loss_at):
    model = toy()
    optimizer = torch.optim.LBFGS(model.first.parameters())
    OrthoGrad(optimizer)

    def closure():
        optimizer.zero_grad()
        loss = loss_at(model, 0)
        loss.backward()
        return loss

    with pytest.raises(AnglewiseError, match=r"LBFGS called the closure twice.*use an optimizer that evaluates once"):
        optimizer.step(closure)


def test_filters_act_in_the_order_attached():
    ends = []
    for order in ((OrthoGrad, FILTERS["ema"]), (FILTERS["ema"], OrthoGrad)):
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        optimizer = SGD([w], lr=0.1)
        for attach in order:
            attach(optimizer)
        for x in ([1.0, 0.0], [0.0, 3.0]):
            optimizer.zero_grad()
            (w @ torch.tensor(x)).backward()
            optimizer.step()
        ends.append(w)
    assert not torch.equal(*ends)


@every_filter
def test_gradients_left_on_the_parameters_are_the_filtered_ones(attach, toy, train, loss_at):
    model = toy()
    optimizer = SGD(model.first.parameters(), lr=0.5)
    attach(optimizer)
    train(model, optimizer, 0, 4)
    before = model.first.weight.detach().clone()
    train(model, optimizer, 4, 5)
    torch.testing.assert_close(model.first.weight, before - 0.5 * model.first.weight.grad)


@every_filter
def test_removed_is_as_if_never_attached(attach, toy, train):
    plain, removed = toy(), toy()
    train(plain, AdamW(plain.parameters()))
    optimizer = AdamW(removed.parameters())
    filter = attach(optimizer)
    filter.remove()
    train(removed, optimizer)
    assert equal(plain, removed)
    attach(optimizer)  # room for another


@every_filter
def test_sparse_gradients_are_refused(attach):
    table = nn.Embedding(4, 2, sparse=True)
    optimizer = SGD(table.parameters(), lr=0.1)
    attach(optimizer)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(
        AnglewiseError, match=r"layout torch.sparse_coo .* shape \(4, 2\), expected dense and real: use"
    ):
        optimizer.step()


@every_filter
def test_a_second_filter_of_a_kind_is_refused(attach, toy):
    optimizer = SGD(toy().parameters(), lr=0.1)
    attach(optimizer)
    with pytest.raises(AttachError, match=r"got a second \w+ for one optimizer, expected at most one: remove\(\)"):
        attach(optimizer)


@every_filter
def test_what_is_no_optimizer_is_refused(attach, toy):
    with pytest.raises(AttachError, match=r"attaches to a torch.optim.Optimizer, got Toy: build the optimizer first"):
        attach(toy())


def test_a_wrapper_that_never_became_an_optimizer_is_refused(toy):
    class Wrapper(torch.optim.Optimizer):
        def __init__(self, optimizer):
            self.optimizer = optimizer

    with pytest.raises(AttachError, match=r"got Wrapper: build .* before anything wraps it"):
        GrokfastEMA(Wrapper(Adam(toy().parameters())))


def test_a_filter_needs_nothing_but_apply(toy, train):
    class Half(GradientFilter):
        def apply(self, optimizer, params):
            for p in params:
                p.grad.mul_(0.5)

    plain, halved = toy(), toy()
    train(plain, SGD(plain.parameters(), lr=0.1))
    optimizer = SGD(halved.parameters(), lr=0.2)
    Half(optimizer)
    train(halved, optimizer)
    assert equal(plain, halved)

"""What every filter owes to the loop around it: any base, AMP, schedulers, groups, checkpoints, closures."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.optim import SGD, Adagrad, Adam, AdamW, NAdam, RMSprop

from anglewise.errors import AnglewiseError, AttachError
from anglewise.torch.methods import ClipRows, GradientFilter, GrokfastEMA, GrokfastMA, OrthoGrad

FILTERS = {
    "ema": lambda o: GrokfastEMA(o, alpha=0.5),
    "ma": lambda o: GrokfastMA(o, window=3),
    "orthograd": OrthoGrad,
}
BASES = {
    "sgd": lambda ps: SGD(ps, lr=0.1),
    "momentum": lambda ps: SGD(ps, lr=0.1, momentum=0.9),
    "adamw": lambda ps: AdamW(ps, lr=0.01),
    "adamw amsgrad": lambda ps: AdamW(ps, lr=0.01, amsgrad=True),
    "adamw foreach": lambda ps: AdamW(ps, lr=0.01, foreach=True),
    "adamw fused": lambda ps: AdamW(ps, lr=0.01, fused=True),
    "sgd fused": lambda ps: SGD(ps, lr=0.1, momentum=0.9, fused=True),
    "nadam": lambda ps: NAdam(ps, lr=0.01),
    "rmsprop": lambda ps: RMSprop(ps, lr=0.01),
    "adagrad": lambda ps: Adagrad(ps, lr=0.01),
}
every_filter = pytest.mark.parametrize("attach", FILTERS.values(), ids=FILTERS)
every_base = pytest.mark.parametrize("base", BASES.values(), ids=BASES)


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("attach", [*FILTERS.values(), lambda o: None], ids=[*FILTERS, "rows"])
@pytest.mark.parametrize("base", [BASES[name] for name in BASES if "adam" not in name])  # Adam counts that step
def test_asking_for_a_state_dict_before_the_first_step_changes_nothing(attach, base, toy, train):
    """PyTorch's checkpoint tools take a step with gradients and learning rates of 0 for it."""
    asked, plain = toy(), toy()
    for model in (asked, plain):
        model.spare.requires_grad_(False)
        optimizer = base(model.parameters())
        attach(optimizer)
        ClipRows(optimizer, model, 0.7)
        if model is asked:
            before = copy.deepcopy(model)
            state = get_optimizer_state_dict(model, optimizer)
            assert equal(model, before)
        train(model, optimizer, 0, 4)
    assert equal(asked, plain)
    assert not equal(asked, before)  # control: it trains, and rows are clipped
    kept = {name for known in state["state"].values() for name in known if name.startswith("grokfast")}
    assert bool(kept) is (attach in (FILTERS["ema"], FILTERS["ma"]))


@pytest.mark.parametrize("attach", [FILTERS["ema"], FILTERS["ma"]], ids=["ema", "ma"])
def test_a_saved_memory_is_loaded_into_the_state_that_checkpoint_tools_make(attach, toy, train):
    def made():
        model = toy()
        model.spare.requires_grad_(False)
        optimizer = BASES["adamw"](model.parameters())
        attach(optimizer)
        return model, optimizer

    straight, optimizer = made()
    train(straight, optimizer, 0, 8)
    first, optimizer = made()
    train(first, optimizer, 0, 5)
    saved = copy.deepcopy(get_optimizer_state_dict(first, optimizer))
    second, optimizer = made()
    second.load_state_dict(first.state_dict())
    into = get_optimizer_state_dict(second, optimizer)
    assert {k: set(v) for k, v in into["state"].items()} == {k: set(v) for k, v in saved["state"].items()}
    set_optimizer_state_dict(second, optimizer, saved)
    train(second, optimizer, 5, 8)
    assert equal(second, straight)


@every_base
@every_filter
def test_saving_and_loading_is_never_having_stopped(attach, base, toy, train):
    straight = toy()
    optimizer = base(straight.parameters())
    attach(optimizer)
    train(straight, optimizer, 0, 8)

    first = toy()
    optimizer = base(first.parameters())
    attach(optimizer)
    train(first, optimizer, 0, 5)
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "optimizer": optimizer.state_dict()}, file)

    second = toy()
    optimizer = base(second.parameters())
    attach(optimizer)
    saved = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    second.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    train(second, optimizer, 5, 8)
    assert equal(straight, second)


@pytest.mark.parametrize("name", ["ema", "ma"])
def test_forgetting_the_memory_would_show(name, toy, train):
    """Negative control: without what the filter keeps, going on differs from never having stopped."""
    ends = []
    for forget in (False, True):
        model = toy()
        optimizer = SGD(model.parameters(), lr=0.1)
        FILTERS[name](optimizer)
        train(model, optimizer, 0, 5)
        state = optimizer.state_dict()
        if forget:
            state = {**state, "state": {}}
        optimizer.load_state_dict(state)
        train(model, optimizer, 5, 8)
        ends.append(model)
    assert not equal(*ends)


@pytest.mark.parametrize("name", ["ema", "ma"])
def test_a_state_from_before_the_filter_loads_and_one_with_it_loads_without(name, toy, train):
    model, plain = toy(), toy()
    bare, never = AdamW(model.parameters()), AdamW(plain.parameters())
    for each, optimizer in ((model, bare), (plain, never)):
        train(each, optimizer, 0, 2)
    filtered = AdamW(model.parameters())
    FILTERS[name](filtered)
    filtered.load_state_dict(bare.state_dict())
    train(model, filtered, 2, 5)
    train(plain, never, 2, 5)
    assert not equal(model, plain)  # the filter acts on the state that it was given
    bare.load_state_dict(filtered.state_dict())
    plain.load_state_dict(model.state_dict())
    never.load_state_dict(copy.deepcopy(filtered.state_dict()))
    train(model, bare, 5, 7)
    train(plain, never, 5, 7)
    assert equal(model, plain)  # nor does it act where it is not attached


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

"""What a filter keeps is saved, loaded and gone on with as the optimizer's own state is."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.optim import SGD, AdamW

from anglewise.torch.methods import ClipRows
from tests.support.filters import BASES, FILTERS, equal, every_base, every_filter


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

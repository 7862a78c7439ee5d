from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

from anglewise.errors import AttachError
from anglewise.torch.methods import ClipRows


def rows(p):
    return p.detach().norm(dim=-1)


def test_no_row_is_longer_than_the_bound_after_a_step_but_the_excluded(toy, train):
    model = toy()
    optimizer = SGD(model.parameters(), lr=1.0)
    clip = ClipRows(optimizer, model, c=0.7)
    train(model, optimizer)
    assert clip.names == ("spare", "first.weight", "first.bias", "norm.weight", "norm.bias")
    for name, p in model.named_parameters():
        assert bool(rows(p).max() <= 0.7 * (1 + 1e-6)) is (name in clip.names), name


def test_rows_within_the_bound_keep_their_bits(toy, train):
    plain, clipped = toy(), toy()
    train(plain, AdamW(plain.parameters()))
    optimizer = AdamW(clipped.parameters())
    ClipRows(optimizer, clipped, c=100.0)
    train(clipped, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), clipped.parameters(), strict=True))


def test_vectors_are_one_row_or_left_alone(toy, train):
    for vectors in (True, False):
        model = toy()
        optimizer = SGD(model.parameters(), lr=0.0)
        ClipRows(optimizer, model, c=0.1, vectors=vectors)
        train(model, optimizer, 0, 1)
        assert bool(torch.isclose(rows(model.norm.weight), torch.tensor(0.1))) is vectors
        assert torch.isclose(rows(model.first.weight), torch.tensor(0.1)).all()


def test_frozen_parameters_and_those_of_another_optimizer_are_never_touched(toy, train):
    model, before = toy(), toy()
    model.first.requires_grad_(False)
    optimizer = SGD([*model.first.parameters(), *model.norm.parameters()], lr=0.1)
    clip = ClipRows(optimizer, model, c=0.1, start="all")
    train(model, optimizer, 0, 2)
    assert clip.names == ("norm.weight", "norm.bias")
    for part in ("first", "head"):
        assert torch.equal(getattr(model, part).weight, getattr(before, part).weight)


def test_rows_start_at_exactly_the_bound_if_asked(toy):
    for start, expected in (
        ("all", {"first.weight", "head.weight"}),
        (("head",), {"head.weight"}),
        ("none", set()),
    ):
        model = toy()
        ClipRows(SGD(model.parameters(), lr=0.1), model, c=2.0, start=start)
        on = {n for n, p in model.named_parameters() if torch.allclose(rows(p), torch.tensor(2.0)) and p.ndim > 1}
        assert on == expected


def test_rows_of_zeros_stay_zero(toy):
    model = toy()
    nn.init.zeros_(model.first.bias)
    ClipRows(SGD(model.parameters(), lr=0.1), model, start="all")
    assert not model.first.bias.any()


def test_scalars_and_half_precision_are_clipped_too():
    model = nn.Module()
    model.gain, model.table = (
        nn.Parameter(torch.tensor(-5.0)),
        nn.Parameter(torch.ones(2, 9, dtype=torch.bfloat16)),
    )
    optimizer = SGD(model.parameters(), lr=0.1)
    ClipRows(optimizer, model, c=1.0)
    optimizer.step()
    assert model.gain.item() == -1.0 and model.table.dtype == torch.bfloat16
    torch.testing.assert_close(rows(model.table.float()), torch.ones(2), rtol=1e-2, atol=1e-2)


def test_tied_weights_are_excluded_by_either_name():
    model = nn.Module()
    model.wte, model.lm_head, model.mlp = nn.Embedding(4, 3), nn.Linear(3, 4, bias=False), nn.Linear(3, 3)
    model.lm_head.weight = model.wte.weight
    clip = ClipRows(SGD(model.parameters(), lr=0.1), model)
    assert clip.names == ("mlp.weight", "mlp.bias")


def test_two_bounds_for_two_parts(toy, train):
    model = toy()
    optimizer = SGD(model.parameters(), lr=0.1)
    ClipRows(optimizer, model, c=0.5)
    ClipRows(optimizer, model, c=1.0, include=("head",), exclude=())
    train(model, optimizer)
    assert rows(model.first.weight).max() <= 0.5 * (1 + 1e-6)
    assert 0.5 < rows(model.head.weight).max() <= 1 + 1e-6


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_overflowed_clips_nothing(fused, toy, loss_at):
    model, before = toy(), toy()
    optimizer = AdamW(model.parameters(), fused=fused)
    ClipRows(optimizer, model, c=0.1)
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(loss_at(model, 0)).backward()
    model.first.weight.grad.fill_(torch.inf)
    scaler.step(optimizer)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))


def test_removed_it_clips_no_more(toy, train):
    model = toy()
    optimizer = SGD(model.parameters(), lr=0.1)
    ClipRows(optimizer, model, c=0.1).remove()
    train(model, optimizer)
    assert rows(model.first.weight).min() > 0.1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"c": 0.0}, ValueError, r"got c=0.0, expected a finite number > 0"),
        (
            {"exclude": "head"},
            ValueError,
            r"got exclude='head', expected a sequence of strings: write \('head',\)",
        ),
        ({"include": "head"}, ValueError, r"got include='head', expected a sequence"),
        ({"start": "head"}, ValueError, r"got start='head', expected a sequence of strings: write \('head',\)"),
        ({"exclude": ("first.wieght",)}, AttachError, r"'first.wieght': did you mean 'first.weight'\?"),
        ({"include": ("mlp",)}, AttachError, r"unknown part of a parameter's name 'mlp'.*Known: first.bias"),
        ({"include": ("head",)}, AttachError, r"none of whose parameters is to be clipped.*check include"),
    ],
)
def test_arguments_that_would_silently_do_nothing_are_refused(options, error, message, toy):
    model = toy()
    with pytest.raises(error, match=message):
        ClipRows(SGD(model.parameters(), lr=0.1), model, **options)


def test_the_wrong_model_and_the_wrong_optimizer_are_refused(toy):
    with pytest.raises(AttachError, match=r"pass the model that it trains"):
        ClipRows(SGD(toy().parameters(), lr=0.1), toy())
    with pytest.raises(AttachError, match=r"ClipRows attaches to a torch.optim.Optimizer, got Toy"):
        ClipRows(toy(), toy())

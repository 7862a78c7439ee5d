"""Every baseline equals, in float64, a reference written from its formula, with its base written out too."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.optim import SGD, AdamW

from anglewise.torch.methods import ClipRows, GrokfastEMA, GrokfastMA, OrthoGrad

STEPS = 8


def sgd(lr=0.1, momentum=0.9):
    buffers = {}

    def update(name, w, g):
        buffers[name] = momentum * buffers[name] + g if name in buffers else g
        return w - lr * buffers[name]

    return update


def adamw(lr=0.01, b1=0.8, b2=0.95, eps=1e-6, wd=0.1):
    state = {}

    def update(name, w, g):
        t, m, v = state.get(name, (0, 0, 0))
        t, m, v = t + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        state[name] = t, m, v
        step = (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps)
        return (1 - lr * wd) * w - lr * step

    return update


BASES = {
    "sgd": (lambda ps: SGD(ps, lr=0.1, momentum=0.9), sgd),
    "adamw": (lambda ps: AdamW(ps, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1), adamw),
}


def nothing():
    return lambda weights, grads: grads


def ema(alpha, lamb, divide):
    past = []

    def filtered(weights, grads):
        past.append(grads)
        out = {}
        for name, g in grads.items():
            # the recursion, solved: a^t g_0 + (1 - a) sum of a^(t - i) g_i, i >= 1
            t = len(past) - 1
            mean = alpha**t * past[0][name]
            mean = mean + sum((1 - alpha) * alpha ** (t - i) * past[i][name] for i in range(1, t + 1))
            out[name] = (g + lamb * mean) / (1 + lamb if divide else 1)
        return out

    return filtered


def ma(window, lamb, kind, warmup, divide):
    past = []

    def filtered(weights, grads):
        past.append(grads)
        last = past[-window:]
        if warmup and len(last) < window:
            return grads
        out = {}
        for name, g in grads.items():
            total = sum(one[name] for one in last)
            gain = lamb * (len(last) if kind == "sum" else 1)
            out[name] = g + lamb * (total if kind == "sum" else total / len(last))
            out[name] = out[name] / (1 + gain if divide else 1)
        return out

    return filtered


def orthogonal(per, rescale):
    def one(w, g):
        q = g - (w @ g) / (w @ w + 1e-30) * w
        return q * (g.norm() / (q.norm() + 1e-30)) if rescale else q

    def filtered(weights, grads):
        if per == "global":
            q = one(*(torch.cat([d[n].flatten() for n in grads]) for d in (weights, grads)))
            parts = q.split([g.numel() for g in grads.values()])
            return {n: part.view_as(g) for (n, g), part in zip(grads.items(), parts, strict=True)}
        out = {}
        for name, g in grads.items():
            w = weights[name]
            if per == "row" and g.ndim > 1:
                out[name] = torch.stack([one(a, b) for a, b in zip(w, g, strict=True)])
            else:
                out[name] = one(w.flatten(), g.flatten()).view_as(g)
        return out

    return filtered


CASES = {
    "nothing": (lambda o: None, nothing),
    "ema published": (lambda o: GrokfastEMA(o, **GrokfastEMA.PUBLISHED), lambda: ema(0.98, 2.0, False)),
    "ema command line": (
        lambda o: GrokfastEMA(o, **GrokfastEMA.COMMAND_LINE),
        lambda: ema(0.99, 5.0, False),
    ),
    "ema equal lr": (
        lambda o: GrokfastEMA(o, 0.5, 2.0, equal_learning_rate=True),
        lambda: ema(0.5, 2.0, True),
    ),
    **{
        f"ma {kind} warmup={warmup} divide={divide}": (
            lambda o, k=kind, w=warmup, d=divide: GrokfastMA(o, 3, 5.0, k, w, equal_learning_rate=d),
            lambda k=kind, w=warmup, d=divide: ma(3, 5.0, k, w, d),
        )
        for kind, warmup, divide in itertools.product(("mean", "sum"), (True, False), (False, True))
    },
    **{
        f"orthograd {per} rescale={rescale}": (
            lambda o, p=per, r=rescale: OrthoGrad(o, per=p, rescale=r),
            lambda p=per, r=rescale: orthogonal(p, r),
        )
        for per, rescale in itertools.product(("tensor", "row", "global"), (True, False))
    },
}


def reference(model, loss_at, base, filtered, project=lambda name, w: w):
    update = base()
    for step in range(STEPS):
        params = {n: p for n, p in model.named_parameters() if p.requires_grad and n != "spare"}
        grads = dict(zip(params, torch.autograd.grad(loss_at(model, step), params.values()), strict=True))
        weights = {n: p.detach().clone() for n, p in params.items()}
        for name, g in filtered(weights, grads).items():
            params[name].data = project(name, update(name, weights[name], g))


def assert_same(ours, theirs):
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("case", CASES)
def test_a_filter_equals_its_formula(case, base, toy, loss_at, train):
    ours, theirs = toy(torch.float64), toy(torch.float64)
    for model in (ours, theirs):
        model.norm.requires_grad_(False)
    optimizer = BASES[base][0](ours.parameters())
    CASES[case][0](optimizer)
    train(ours, optimizer, 0, STEPS)
    reference(theirs, loss_at, BASES[base][1], CASES[case][1]())
    assert_same(ours, theirs)
    assert torch.equal(ours.norm.weight, toy(torch.float64).norm.weight)
    assert torch.equal(ours.spare, toy(torch.float64).spare)


@pytest.mark.parametrize("base", BASES)
def test_no_two_filters_are_the_same(base, toy, train):
    """The negative control of the test above: it tells all cases apart."""
    ends = {}
    for case, (attach, _) in CASES.items():
        model = toy(torch.float64)
        optimizer = BASES[base][0](model.parameters())
        attach(optimizer)
        train(model, optimizer, 0, STEPS)
        ends[case] = model.first.weight.detach()
    for one, other in itertools.combinations(ends, 2):
        assert (ends[one] - ends[other]).abs().max() > 1e-6, (one, other)


@pytest.mark.parametrize("vectors", [True, False])
@pytest.mark.parametrize("base", BASES)
def test_clipped_rows_equal_their_formula(base, vectors, toy, loss_at, train):
    def project(name, w):
        if "head" in name or (w.ndim == 1 and not vectors):
            return w
        rows = [row * min(1.0, 0.9 / row.norm().item()) for row in (w if w.ndim > 1 else [w])]
        return torch.stack(rows).view_as(w)

    ours, theirs = toy(torch.float64), toy(torch.float64)
    optimizer = BASES[base][0](ours.parameters())
    ClipRows(optimizer, ours, c=0.9, vectors=vectors, exclude=("head", "spare"))
    train(ours, optimizer, 0, STEPS)
    reference(theirs, loss_at, BASES[base][1], nothing(), project)
    assert_same(ours, theirs)
    assert ours.head.weight.norm(dim=-1).max() > 0.9
    assert bool(ours.norm.weight.norm() > 0.9 * (1 + 1e-6)) is not vectors

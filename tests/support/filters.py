"""Gradient filters, and optimizers to attach them to."""

from __future__ import annotations

import pytest
import torch
from torch.optim import SGD, Adagrad, AdamW, NAdam, RMSprop

from anglewise.torch.methods import GrokfastEMA, GrokfastMA, OrthoGrad

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
    """Whether two models have the same bits."""
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))

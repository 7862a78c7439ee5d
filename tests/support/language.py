"""A small language model that the tests of all adapters share, and its gradient on one big batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anglewise.torch import radial_penalty

WIDTH, VOCABULARY, STRENGTH, TARGET = 8, 11, 0.7, 0.6
SITES = "blocks.*.mlp"


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(x)


class Language(nn.Module):
    """Tokens in, logits out; float64, so that equal means equal."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(WIDTH, VOCABULARY)
        self.double()

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten())


def outputs(model: nn.Module, tokens: Tensor) -> list[Tensor]:
    """What the sites give, by another way than the library's."""
    found, x = [], model.embedding(tokens)
    for block in model.blocks:
        found.append(block.mlp(x))
        x = x + found[-1]
    return found


def reference(tokens: Tensor, labels: Tensor, *, strength: float = STRENGTH, mask: Tensor | None = None) -> Tensor:
    """All gradients of task loss + penalty on one batch, in one vector."""
    model = Language()
    loss = cross_entropy(model(tokens), labels)
    loss = loss + strength * sum(radial_penalty(h, TARGET, mask) for h in outputs(model, tokens))
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


def flat(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])

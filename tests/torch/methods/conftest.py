"""A toy model and its loop, shared by the suites of the baselines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Toy(nn.Module):
    """5 -> 7 -> 3 with a LayerNorm: matrices, vectors and, in `spare`, a parameter without a gradient."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.norm, self.head = nn.Linear(5, 7), nn.LayerNorm(7), nn.Linear(7, 3)
        self.spare = nn.Parameter(torch.ones(2))
        for p in self.parameters():
            p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.norm(self.first(x))))


@pytest.fixture
def toy() -> Callable[..., Toy]:
    return lambda dtype=torch.float32: Toy(dtype)


def batch(step: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(100 + step)
    x = torch.randn(6, 5, generator=generator, dtype=torch.float64).to(dtype)
    return x, torch.randint(3, (6,), generator=generator)


@pytest.fixture
def loss_at() -> Callable[[nn.Module, int], Tensor]:
    def loss(model: nn.Module, step: int) -> Tensor:
        x, y = batch(step, next(model.parameters()).dtype)
        return F.cross_entropy(model(x), y)

    return loss


@pytest.fixture
def train(loss_at) -> Callable[..., None]:
    """Steps `start` to `stop` of the plain loop."""

    def run(model: nn.Module, optimizer: torch.optim.Optimizer, start: int = 0, stop: int = 6) -> None:
        for step in range(start, stop):
            optimizer.zero_grad()
            loss_at(model, step).backward()
            optimizer.step()

    return run

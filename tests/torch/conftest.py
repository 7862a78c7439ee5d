"""Small models that the tests of the drop-in share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.support.threads import one_thread

__all__ = ["one_thread"]

WIDTH = 8
FULL_CHECKPOINTS = not torch.__version__.startswith(("2.6", "2.7"))
"""Whether the compiler takes checkpointed regions that hold a tap in one graph; before 2.8 it breaks it there."""


class Block(nn.Module):
    """A residual block of a Transformer, in miniature: attn and mlp children."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(x)
        return x + self.mlp(x)


class Net(nn.Module):
    """Two blocks and a head; `reentrant` None means no activation checkpointing."""

    def __init__(self, reentrant: bool | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(WIDTH) for _ in range(2)])
        self.head = nn.Linear(WIDTH, 3)
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x) if self.reentrant is None else checkpoint(block, x, use_reentrant=self.reentrant)
        return self.head(x)


@pytest.fixture
def full_checkpoints() -> bool:
    return FULL_CHECKPOINTS


@pytest.fixture
def make_net() -> Callable[..., Net]:
    def make(reentrant: bool | None = None) -> Net:
        torch.manual_seed(0)
        return Net(reentrant)

    return make


@pytest.fixture
def batch() -> Tensor:
    return 2 * torch.randn(8, 4, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def nothing_compiled() -> Iterator[None]:
    yield
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()

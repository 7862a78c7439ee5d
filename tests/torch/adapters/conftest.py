"""One batch of tokens for the adapters' tests."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(11, (8, 5), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(11, (8, 5), generator=torch.Generator().manual_seed(2))

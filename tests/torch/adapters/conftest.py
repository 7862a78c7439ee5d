"""What the adapters' tests share; the model itself is in ``adapters_cases.py``, for worker processes too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(11, (8, 5), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> Tensor:
    return torch.randint(11, (8, 5), generator=torch.Generator().manual_seed(2))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

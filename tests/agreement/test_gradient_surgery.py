"""Gradient surgery between task and penalty: the drop-in's is the laboratory's."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

from anglewise.lab.methods.yu2020_pcgrad import PCGrad
from anglewise.torch.methods import pcgrad_backward


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("variant", ["symmetric", "protect-task", "protect-penalty"])
def test_both_have_the_same_gradient(variant, seed):
    rng = np.random.default_rng(seed)
    shapes = [(4, 3), (5,)]
    task = [rng.normal(size=shape) for shape in shapes]
    penalty = [rng.normal(size=shape) + (seed - 1) * g for shape, g in zip(shapes, task, strict=True)]
    params = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    losses = [sum((p * torch.tensor(g)).sum() for p, g in zip(params, side, strict=True)) for side in (task, penalty)]
    pcgrad_backward(*losses, params, variant=variant)
    with jax.enable_x64(True):
        wanted = PCGrad(variant).combine(task, penalty)
    for p, want in zip(params, wanted, strict=True):
        np.testing.assert_allclose(p.grad, want, rtol=1e-12)

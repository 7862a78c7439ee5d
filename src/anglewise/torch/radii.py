r"""Radii in units of sqrt(d): how they are taken from activations, and summarised.

The radius is taken inside the forward pass; `anglewise.penalty.penalty_of_radius` charges for it afterwards.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


def scaled_radius(h: Tensor, axis: int = -1) -> Tensor:
    r"""Radius in units of :math:`\sqrt d`: :math:`\rho = |h| / \sqrt d`, with gradient 0 at h = 0.

    One fused operation that keeps nothing but `h` for backward; otherwise `anglewise.radius`.

    Args:
        h: Activations, shape ``[*batch, d]``, the width at `axis`.
        axis: Where the width is.

    Returns:
        Shape ``[*batch]``, float32 or wider.

    Example:
        >>> scaled_radius(torch.tensor([[3.0, 4.0, 0.0, 0.0]]))
        tensor([2.5000])
    """
    wide = torch.float32 if h.element_size() < 4 else h.dtype
    rho: Tensor = torch.linalg.vector_norm(h, dim=axis, dtype=wide) / math.sqrt(h.shape[axis])
    return rho


def radius_readings(site: str, rho: Tensor) -> dict[str, float]:
    """Mean, standard deviation and 5, 50, 95 % quantiles of radii, under the site's name."""
    values = rho.detach().cpu().double().numpy()
    if values.size == 0:
        values = np.array([np.nan])
    low, middle, high = (float(q) for q in np.quantile(values, (0.05, 0.5, 0.95)))
    return {
        f"{site}/radius": float(values.mean()),
        f"{site}/radius_std": float(values.std()),
        f"{site}/radius_q05": low,
        f"{site}/radius_q50": middle,
        f"{site}/radius_q95": high,
    }

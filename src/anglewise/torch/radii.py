r"""Radii in units of sqrt(d): how they are taken from activations, charged, and summarised.

These agree with `anglewise.radius` and `anglewise.radial_penalty`; they are split so that the radius can be
taken inside a forward pass and the charge set afterwards.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from anglewise.penalty import Side


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


def spring(rho: Tensor, target: float, mask: Tensor | None = None, *, side: Side = "both") -> Tensor:
    r"""Mean of :math:`(\rho - \tau)^2`: `anglewise.radial_penalty` for radii that are already there.

    Args:
        rho: Radii in units of sqrt(d), shape ``[*batch]``.
        target: :math:`\tau`, in the same units.
        mask: Weights of the same shape.
        side: As in `anglewise.radial_penalty`.

    Returns:
        A scalar.

    Example:
        >>> spring(torch.tensor([0.0, 3.0]), 1.0, side="outer")
        tensor(2.)
    """
    excess = rho - target
    if side == "outer":
        excess = excess.clamp(min=0)
    elif side == "inner":
        excess = excess.clamp(max=0)
    if mask is None:
        return excess.square().mean()
    weight = mask.to(rho)
    # where, not a product: a masked vector may hold anything, NaN included
    square = torch.where(weight != 0, excess, 0).square()
    total = weight.sum()
    return (weight * square).sum() / torch.where(total > 0, total, 1)


def radius_readings(site: str, rho: Tensor) -> dict[str, float]:
    """Mean, standard deviation and 5, 50, 95 % quantiles of radii, under the site's name."""
    values = rho.detach().float().cpu().numpy()
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

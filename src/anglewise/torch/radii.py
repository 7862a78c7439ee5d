r"""Radii in units of sqrt(d): how they are taken from activations, and summarised.

The radius is taken inside the forward pass; `anglewise.penalty.penalty_of_radius` charges for it afterwards.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anglewise.geometry import radius


def _plain(rho: Tensor) -> bool:
    """Whether all radii are known, where that costs little, to be finite and above 0."""
    if rho.device.type != "cpu" or rho.numel() == 0 or torch._C._are_functorch_transforms_active():
        return False
    low, high = torch.aminmax(rho.detach())
    return float(low) > 0 and float(high) < math.inf  # NaN is neither


class _ScaledRadius(torch.autograd.Function):
    """The radius with a backward pass of its own.

    PyTorch's norm has no second derivative at h = 0, and gives NaN for the gradient of a vector that holds NaN even
    where nothing of the result is used.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(h: Tensor, axis: int) -> Tensor:
        """Shape [*batch], in float32 or wider."""
        wide = torch.float32 if h.element_size() < 4 else h.dtype
        rho: Tensor = torch.linalg.vector_norm(h, dim=axis, dtype=wide) / math.sqrt(h.shape[axis])
        return rho

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        """Keep the activation, which is there anyway, and the radii."""
        h, ctx.axis = inputs
        ctx.save_for_backward(h, output)
        ctx.save_for_forward(h, output)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        """The gradient g h / (rho d), which is 0 at h = 0, and where g is 0 (behind a mask) whatever h holds."""
        h, rho = ctx.saved_tensors
        if _plain(rho):  # nothing to set aside; to ask costs little here, and would make a GPU wait
            scale = g / (rho * h.shape[ctx.axis])
        else:
            unused = ~torch.isfinite(rho) & (g == 0)
            still = unused | (rho == 0)
            scale = torch.where(still, 0, g) / (torch.where(still, 1, rho) * h.shape[ctx.axis])
            h = h.masked_fill(unused.unsqueeze(ctx.axis), 0)
        return (h * scale.unsqueeze(ctx.axis)).to(h.dtype), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:  # type: ignore[override]
        """The tangent along h, over rho d; 0 at h = 0."""
        h, rho = ctx.saved_tensors
        along = (h.to(rho.dtype) * tangent.to(rho.dtype)).sum(ctx.axis)
        return torch.where(rho == 0, 0, along) / (torch.where(rho == 0, 1, rho) * h.shape[ctx.axis])


def scaled_radius(h: Tensor, axis: int = -1) -> Tensor:
    r"""Radius in units of :math:`\sqrt d`: :math:`\rho = |h| / \sqrt d`, with all gradients 0 at h = 0.

    It keeps nothing but `h` and the radii for backward; otherwise `anglewise.radius`.  Where the gradient of a radius
    is 0, so is that of its vector, also if that holds NaN.

    Args:
        h: Activations, shape ``[*batch, d]``, the width at `axis`.
        axis: Where the width is.

    Returns:
        Shape ``[*batch]``, float32 or wider.

    Example:
        >>> scaled_radius(torch.tensor([[3.0, 4.0, 0.0, 0.0]]))
        tensor([2.5000])
    """
    rho: Tensor
    if not torch.compiler.is_compiling():
        rho = _ScaledRadius.apply(h, axis)
        return rho
    # the compiler fuses plain operations, the copy too, which what comes after may not overwrite; NaN and infinity
    # are set aside, and put back as a constant
    h = h.movedim(axis, -1).clone()
    finite = torch.nan_to_num(h, 1.0, 1.0, 1.0)
    rho = radius(finite) / math.sqrt(h.shape[-1])
    return rho + (h - finite).detach().sum(-1, dtype=rho.dtype)


def radius_readings(site: str, rho: Tensor) -> dict[str, float]:
    """Mean, standard deviation and 5, 50, 95 % quantiles of radii, under the site's name."""
    values = rho.detach().cpu().double().numpy()
    if values.size == 0:
        values = np.array([np.nan])
    with np.errstate(invalid="ignore"):  # infinite radii have no spread
        low, middle, high = (float(q) for q in np.quantile(values, (0.05, 0.5, 0.95)))
        mean, spread = float(values.mean()), float(values.std())
    return {
        f"{site}/radius": mean,
        f"{site}/radius_std": spread,
        f"{site}/radius_q05": low,
        f"{site}/radius_q50": middle,
        f"{site}/radius_q95": high,
    }

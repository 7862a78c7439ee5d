r"""StableMax: a softmax whose exponential grows only linearly, so that large logits still have a gradient.

.. math::

    s(x) = \begin{cases} x + 1 & x \ge 0 \\ 1 / (1 - x) & x < 0 \end{cases}, \qquad
    p_i = \frac{s(z_i)}{\sum_j s(z_j)}

This is the softmax of :math:`\operatorname{sign}(x) \ln(1 + |x|)`, and is computed so.  The released code adds 1e-30
to 1 - x, which is at least 1; in float64 this changes nothing.

Source: arXiv 2501.04697; repository LucasPrietoAl/grokking-at-the-edge-of-numerical-stability.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def stablemax_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    reduction: str = "mean",
    ignore_index: int = -100,
    *,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Cross-entropy of StableMax, computed and returned in float64.

    .. math:: L = -\ln s(z_y) + \ln \sum_j s(z_j)

    Args:
        logits: Scores z, shape ``[*batch, classes]`` (classes last, also for sequences), any floating dtype.
        labels: Class indices y, shape ``[*batch]``.
        reduction: ``"mean"`` over the labels that count, ``"sum"``, or ``"none"``.
        ignore_index: Label of positions that do not count.  If none counts the mean is NaN, as in PyTorch.
        weight: One weight per class, shape ``[classes]``, as in ``torch.nn.functional.cross_entropy``.
        label_smoothing: Share of the target that is spread over all classes, in [0, 1].

    Returns:
        Loss in nats, float64: a scalar, or shape ``[*batch]`` for ``"none"``.

    Raises:
        ValueError: If the shapes do not fit or `reduction` is none of the three.
        TypeError: If `logits` is not floating point.

    Example:
        >>> float(stablemax_cross_entropy(torch.tensor([[1.0, 0.0]]), torch.tensor([0])).exp())
        1.5
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"got reduction={reduction!r}, expected 'mean', 'sum' or 'none'")
    if not logits.is_floating_point():
        raise TypeError(f"got logits of dtype {logits.dtype}, expected floating point: convert them first")
    if logits.shape[:-1] != labels.shape or logits.ndim == 0:
        raise ValueError(
            f"got logits {tuple(logits.shape)} and labels {tuple(labels.shape)}, expected [*batch, classes] "
            "and [*batch]: move the classes to the last axis"
        )
    x = logits.to(torch.float64)
    # no abs, sign or clamp: what their gradient at 0 is, is a library's convention; here it is 1
    up = x >= 0
    log_s = torch.where(up, torch.where(up, x, 0).log1p(), -torch.where(up, 0, -x).log1p())
    loss = F.cross_entropy(
        log_s.reshape(-1, x.shape[-1]),
        labels.reshape(-1).long(),
        weight=None if weight is None else weight.to(log_s),
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
    return loss.reshape(labels.shape) if reduction == "none" else loss

r"""PCGrad: where the gradients of task and penalty conflict, remove from each its part against the other.

.. math::

   \langle g_i, g_j \rangle < 0: \quad g_i \leftarrow g_i - \frac{\langle g_i, g_j \rangle}{|g_j|^2} g_j,
   \qquad g = g_{\text{task}} + g_{\text{penalty}}

with all parameters as one vector and the other's gradient as it was before projection.  Two backward passes.

Source: arXiv 2001.06782.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from anglewise.errors import AttachError

Variant: TypeAlias = Literal["symmetric", "protect-task", "protect-penalty"]


def pcgrad_backward(
    task: Tensor, penalty: Tensor, parameters: Iterable[Tensor], *, variant: Variant = "symmetric"
) -> None:
    r"""Instead of ``(task + penalty).backward()``: add both gradients, without their conflict, to ``.grad``.

    Under loss scaling, scale both terms by the same factor.  With gradient accumulation, call it for each micro-batch.

    Args:
        task: The task loss, a scalar.
        penalty: The penalty of the same forward, a scalar; 0 leaves the task's gradient as it is.
        parameters: All that is trained, for instance ``model.parameters()``.
        variant: ``"symmetric"``, as published; ``"protect-task"``, where only the penalty's gradient is projected;
            ``"protect-penalty"``, where only the task's is.

    Raises:
        ValueError: If `variant` is none of the three, or no parameter is trained.
        AttachError: If several processes train: their gradients would not be averaged.

    Example:
        >>> w = torch.tensor([1.0, 1.0], requires_grad=True)
        >>> pcgrad_backward(w[0], w[1] - w[0], [w])
        >>> w.grad
        tensor([0.5000, 1.5000])

    Source: arXiv 2001.06782, algorithm 1, for two losses.
    """
    if variant not in get_args(Variant):
        raise ValueError(f"got variant={variant!r}, expected one of {', '.join(map(repr, get_args(Variant)))}")
    params = [p for p in parameters if p.requires_grad]
    if not params:
        raise ValueError("got no parameter that requires a gradient, expected those of the model in training")
    if (
        torch.distributed.is_available()
        and torch.distributed.is_initialized()
        and torch.distributed.get_world_size() > 1
    ):
        raise AttachError(
            "pcgrad_backward works on the gradients of one process, and several train: expected one, since nothing "
            "here averages them"
        )
    first, second = _gradient(task, params, keep=True), _gradient(penalty, params, keep=False)
    dot, squares = _dot(first, second), (_dot(first, first), _dot(second, second))
    shares = [torch.where(dot < 0, dot / torch.where(square == 0, 1, square), 0) for square in squares]
    for p, g, h in zip(params, first, second, strict=True):
        if g is None and h is None:
            continue
        g, h = (torch.zeros_like(p) if part is None else part for part in (g, h))
        left = g if variant == "protect-task" else g - shares[1].to(g) * h
        right = h if variant == "protect-penalty" else h - shares[0].to(g) * g
        p.grad = left + right if p.grad is None else p.grad + left + right


def _gradient(loss: Tensor, params: list[Tensor], *, keep: bool) -> list[Tensor | None]:
    """Gradients by parameter; None where the loss does not depend on it, for all of a constant loss."""
    if not loss.requires_grad:
        return [None] * len(params)
    return list(torch.autograd.grad(loss, params, retain_graph=keep, allow_unused=True))


def _dot(one: list[Tensor | None], other: list[Tensor | None]) -> Tensor:
    """Inner product over all parameters, in float32 or wider, on the device of the first."""
    parts = [
        (g.to(wide) * h.to(wide)).sum()
        for g, h in zip(one, other, strict=True)
        if g is not None and h is not None
        for wide in [torch.promote_types(g.dtype, torch.float32)]
    ]
    return torch.stack([part.to(parts[0].device) for part in parts]).sum() if parts else torch.zeros(())

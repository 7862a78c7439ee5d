r"""OrthoGrad (perpGrad): keep of the gradient only what is orthogonal to the weights.

.. math::

    q = g - \frac{\langle w, g \rangle}{|w|^2 + \epsilon} w, \qquad
    g \leftarrow \frac{|g|}{|q| + \epsilon} q, \qquad \epsilon = 10^{-30}

A step along w scales the logits: it lowers the loss without changing a prediction.  OrthoGrad removes that part.  The
paper prints q alone, with all parameters as one vector w (``PUBLISHED``).  The released code takes w tensor by tensor
and gives q the length of g (``RELEASED``).

One deviation: where all of g is along w, as for a tensor of one element, q is rounding noise of at most 8 units.  Here
g becomes 0; the released code gives that noise the length of g.

Source: arXiv 2501.04697; repository LucasPrietoAl/grokking-at-the-edge-of-numerical-stability, ``OrthoGrad``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

from anglewise.torch.methods.hooks import GradientFilter

Per: TypeAlias = Literal["tensor", "row", "global"]

EPS = 1e-30


class OrthoGrad(GradientFilter):
    r"""Project every gradient onto what is orthogonal to its weights, right before the update.

    .. math::

        q = g - \frac{\langle w, g \rangle}{|w|^2 + \epsilon} w, \qquad
        g \leftarrow \frac{|g|}{|q| + \epsilon} q

    Half precision is computed in float32.  Weights that are exactly 0 leave their gradient as it is.

    Args:
        optimizer: Any optimizer; it stays the one to use.
        per: What counts as one vector w: ``"tensor"``, as released; ``"row"``, all weights into one output
            unit (first axis; a vector is one row); ``"global"``, all parameters that have a gradient.
        rescale: Give q the length of g, as released.

    Raises:
        ValueError: If `per` is none of the three.
        AttachError: If `optimizer` is no optimizer, or has such a filter already.

    Example:
        >>> w = torch.tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = torch.optim.SGD([w], lr=1.0)
        >>> filter = OrthoGrad(optimizer, rescale=False)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> w.grad
        tensor([ 0.1600, -0.1200])

    Source: arXiv 2501.04697, and the code as released.
    """

    PUBLISHED: ClassVar[Mapping[str, Any]] = {"per": "global", "rescale": False}
    RELEASED: ClassVar[Mapping[str, Any]] = {"per": "tensor", "rescale": True}

    def __init__(self, optimizer: Optimizer, *, per: Per = "tensor", rescale: bool = True) -> None:
        if per not in ("tensor", "row", "global"):
            raise ValueError(f"got per={per!r}, expected 'tensor', 'row' or 'global'")
        super().__init__(optimizer)
        self.per, self.rescale = per, rescale

    def apply(self, optimizer: Optimizer, params: list[Tensor]) -> None:
        """Project the gradients, in place."""
        for block in [params] if self.per == "global" else [[p] for p in params]:
            if block:
                self._project(block)

    def _project(self, block: list[Tensor]) -> None:
        # every tensor as a matrix whose rows are the vectors; sums run over all tensors of the block
        grads = [p.grad for p in block if p.grad is not None]
        w = [self._matrix(p) for p in block]
        g = [self._matrix(grad) for grad in grads]
        along = _dots(w, g) / (_dots(w, w) + EPS)
        q = [b - along.to(b.device) * a for a, b in zip(w, g, strict=True)]
        factor = torch.ones_like(along)
        before, after = _dots(g, g).sqrt(), _dots(q, q).sqrt()
        if self.rescale:
            factor = before / (after + EPS)
        noise = 8 * torch.finfo(along.dtype).eps * before
        factor = torch.where(after > noise, factor, torch.zeros_like(factor))
        for grad, part in zip(grads, q, strict=True):
            grad.copy_((part * factor.to(part.device)).reshape(grad.shape))

    def _matrix(self, x: Tensor) -> Tensor:
        x = x.detach().to(torch.promote_types(x.dtype, torch.float32))
        return x.flatten(1) if self.per == "row" and x.ndim > 1 else x.reshape(1, -1)


def _dots(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """Dot products row by row, summed over the tensors of two lists."""
    device = a[0].device
    return reduce(torch.add, ((x * y).sum(1, keepdim=True).to(device) for x, y in zip(a, b, strict=True)))


def orthograd(
    params: Iterable[Any],
    base_optimizer_cls: type[Optimizer] = SGD,
    *,
    per: Per = "tensor",
    rescale: bool = True,
    **base_optimizer_args: Any,
) -> Optimizer:
    """Build a base optimizer with :class:`OrthoGrad` attached: the call of the released class.

    Every keyword that is not OrthoGrad's reaches the base (in the released experiments, betas and eps never
    do).

    Args:
        params: Parameters, or groups of them.
        base_optimizer_cls: The base, for instance ``torch.optim.AdamW``.
        per: As in :class:`OrthoGrad`.
        rescale: As in :class:`OrthoGrad`.
        base_optimizer_args: For the base: ``lr``, ``betas``, ``eps``, ...

    Returns:
        The base optimizer itself.

    Raises:
        ValueError: If `per` is none of the three.
        TypeError: If `base_optimizer_cls` does not know a keyword.

    Example:
        >>> w = torch.ones(2, requires_grad=True)
        >>> optimizer = orthograd([w], torch.optim.AdamW, lr=1e-2, betas=(0.9, 0.98))
        >>> optimizer.param_groups[0]["betas"]
        (0.9, 0.98)
    """
    optimizer = base_optimizer_cls(params, **base_optimizer_args)
    OrthoGrad(optimizer, per=per, rescale=rescale)
    return optimizer

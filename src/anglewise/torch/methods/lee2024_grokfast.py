r"""Grokfast: amplify the slow part of the gradient, its mean over time, by an EMA or over a window.

.. math::

    \mu \leftarrow \alpha \mu + (1 - \alpha) g, \quad \mu_0 = g_0, \qquad g \leftarrow g + \lambda \mu

The paper prints :math:`\mu_0 = \theta_0`, evidently a slip; the released code starts at the first gradient.
A parameter whose first gradient comes later starts then.  The released code raises ``KeyError`` there.

*Control.*  Where the gradient hardly changes, :math:`g + \lambda \mu = (1 + \lambda) g`: a larger step, which
needs no filter.  Two controls separate the filter from the larger step:

- ``equal_learning_rate=True`` divides the filtered gradient by that factor.  Under SGD this divides the learning rate.
  Adam does not see the scale of its gradient, so the division acts only through its eps (and coupled decay);
- the control arm is the base alone with a larger learning rate: ``scale_learning_rate(optimizer, 1 + lamb)``.

Source: arXiv 2405.20233; repository ironjr/grokfast, ``gradfilter_ema`` and ``gradfilter_ma``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from anglewise.errors import AnglewiseError
from anglewise.torch.methods.hooks import GradientFilter, require_optimizer


def _require_lamb(lamb: float) -> None:
    if not (isinstance(lamb, (int, float)) and math.isfinite(lamb) and lamb >= 0):
        raise ValueError(f"got lamb={lamb!r}, expected a finite number >= 0: 0 switches the filter off")


class GrokfastEMA(GradientFilter):
    r"""Add to every gradient lambda times its exponential moving average, tensor by tensor.

    .. math:: \mu \leftarrow \alpha \mu + (1 - \alpha) g, \; \mu_0 = g_0, \qquad g \leftarrow g + \lambda \mu

    The first gradient becomes :math:`(1 + \lambda) g`.  Memory: one copy of the parameters.

    Args:
        optimizer: Any optimizer; it stays the one to use.
        alpha: Share of the old mean kept per step, in [0, 1); the mean's memory is about 1/(1 - alpha) steps.
        lamb: Amplification lambda of the mean, at least 0.
        equal_learning_rate: Divide the filtered gradient by 1 + lamb.

    Raises:
        ValueError: If `alpha` or `lamb` is out of range.
        AttachError: If `optimizer` is no optimizer, or has such a filter already.

    Example:
        >>> import torch
        >>> w = torch.zeros(1, requires_grad=True)
        >>> optimizer = torch.optim.SGD([w], lr=1.0)
        >>> filter = GrokfastEMA(optimizer, **GrokfastEMA.PUBLISHED)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([-3.], requires_grad=True)

    Source: arXiv 2405.20233, algorithm 2; ``gradfilter_ema`` as released.
    """

    PUBLISHED: ClassVar[Mapping[str, float]] = {"alpha": 0.98, "lamb": 2.0}
    """The headline run, and the defaults of the released function."""

    COMMAND_LINE: ClassVar[Mapping[str, float]] = {"alpha": 0.99, "lamb": 5.0}
    """The defaults of the released script."""

    def __init__(
        self,
        optimizer: Optimizer,
        alpha: float = 0.98,
        lamb: float = 2.0,
        *,
        equal_learning_rate: bool = False,
    ) -> None:
        if not (isinstance(alpha, (int, float)) and 0 <= alpha < 1):
            raise ValueError(f"got alpha={alpha!r}, expected 0 <= alpha < 1: at 1 the mean never moves")
        _require_lamb(lamb)
        super().__init__(optimizer)
        self.alpha, self.lamb, self.equal_learning_rate = alpha, lamb, equal_learning_rate

    def prepare(self, optimizer: Optimizer, params: list[Tensor]) -> None:
        """Remember means of 0."""
        for p in params:
            self.remember(p, grokfast_ema=torch.zeros_like(p), grokfast_ema_count=0)

    def apply(self, optimizer: Optimizer, params: list[Tensor]) -> None:
        """Update every mean and add it to its gradient."""
        for p in params:
            g = p.grad
            assert g is not None
            known = self.recall(p)
            mean: Tensor | None = known.get("grokfast_ema")
            count: int = known.get("grokfast_ema_count", 0 if mean is None else 1)
            if mean is None:
                mean = g.clone()
            elif count == 0:
                mean.copy_(g)
            else:
                mean.mul_(self.alpha).add_(g, alpha=1 - self.alpha)
            self.remember(p, grokfast_ema=mean, grokfast_ema_count=count + 1)
            g.add_(mean, alpha=self.lamb)
            if self.equal_learning_rate:
                g.div_(1 + self.lamb)


class GrokfastMA(GradientFilter):
    r"""Add to every gradient lambda times its mean over the last K gradients, once there are K of them.

    .. math:: g_t \leftarrow g_t + \lambda \frac{1}{K} \sum_{i=0}^{K-1} g_{t-i}

    Memory: K copies of the parameters (with the default, 100: 290 -> 458 MB in the paper's toy model), all
    read at every step; ``GrokfastEMA`` needs one.

    Args:
        optimizer: Any optimizer; it stays the one to use.
        window: K, in steps.
        lamb: Amplification lambda, at least 0.
        filter_type: ``"mean"``, or ``"sum"`` without the 1/K, both as released.
        warmup: Wait until K gradients are there; else average those there are.
        equal_learning_rate: Divide what the filter amplified by 1 + lamb (for ``"sum"`` by 1 + K lamb).

    Raises:
        ValueError: If `window`, `lamb` or `filter_type` is none of the above.
        AttachError: If `optimizer` is no optimizer, or has such a filter already.

    Example:
        >>> import torch
        >>> w = torch.zeros(1, requires_grad=True)
        >>> optimizer = torch.optim.SGD([w], lr=1.0)
        >>> filter = GrokfastMA(optimizer, window=2, lamb=5.0)
        >>> for step in range(2):  # 1, then 1 + 5
        ...     optimizer.zero_grad()
        ...     w.sum().backward()
        ...     optimizer.step()
        >>> w
        tensor([-7.], requires_grad=True)

    Source: arXiv 2405.20233, algorithm 1; ``gradfilter_ma`` as released.
    """

    PUBLISHED: ClassVar[Mapping[str, float]] = {"window": 100, "lamb": 5.0}
    """The headline run, and the defaults of both the released function and the released script."""

    def __init__(
        self,
        optimizer: Optimizer,
        window: int = 100,
        lamb: float = 5.0,
        filter_type: Literal["mean", "sum"] = "mean",
        warmup: bool = True,
        *,
        equal_learning_rate: bool = False,
    ) -> None:
        if not (isinstance(window, (int, float)) and window >= 1 and window == int(window)):
            raise ValueError(f"got window={window!r}, expected a whole number of steps >= 1")
        if filter_type not in ("mean", "sum"):
            raise ValueError(f"got filter_type={filter_type!r}, expected 'mean' or 'sum'")
        _require_lamb(lamb)
        super().__init__(optimizer)
        self.window, self.lamb, self.filter_type = int(window), lamb, filter_type
        self.warmup, self.equal_learning_rate = warmup, equal_learning_rate

    def prepare(self, optimizer: Optimizer, params: list[Tensor]) -> None:
        """Remember empty rings."""
        for p in params:
            self.remember(p, grokfast_ma_ring=p.new_zeros((self.window, *p.shape)), grokfast_ma_count=0)

    def apply(self, optimizer: Optimizer, params: list[Tensor]) -> None:
        """Write every gradient into its ring and add the ring's mean."""
        for p in params:
            g = p.grad
            assert g is not None
            known = self.recall(p)
            ring: Tensor = known.get("grokfast_ma_ring", g.new_zeros((0,)))
            if ring.shape[0] == 0:
                ring = g.new_zeros((self.window, *g.shape))
            elif ring.shape[0] != self.window:
                raise AnglewiseError(
                    f"got a state with {ring.shape[0]} past gradients, expected window="
                    f"{self.window}: load it into a filter of the same window"
                )
            count: int = known.get("grokfast_ma_count", 0)
            ring[count % self.window].copy_(g)
            count += 1
            self.remember(p, grokfast_ma_ring=ring, grokfast_ma_count=count)
            held = min(count, self.window)
            if self.warmup and held < self.window:
                continue
            weight = self.lamb if self.filter_type == "sum" else self.lamb / held
            g.add_(ring[:held].sum(0), alpha=weight)
            if self.equal_learning_rate:
                g.div_(1 + weight * held)


def scale_learning_rate(optimizer: Optimizer, factor: float) -> None:
    r"""Multiply every learning rate of an optimizer: the control arm of an amplifying filter.

    .. math:: \eta \leftarrow (1 + \lambda)\, \eta

    Call it on the base alone, before a scheduler is built.  Decoupled decay per step is learning rate times
    ``weight_decay`` and grows with it: divide ``weight_decay`` by `factor` to hold it.  Under Adam, the
    factor 1/(1 + lamb) beside a filter is what the repository lucidrains/grokfast-pytorch does by default.

    Args:
        optimizer: The optimizer, changed in place, groups added later included.
        factor: Positive; ``1 + lamb`` for the control arm of ``GrokfastEMA(lamb=lamb)``.

    Raises:
        ValueError: If `factor` is not positive.
        AnglewiseError: If a scheduler, which remembers the old learning rate, has been built already.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> scale_learning_rate(optimizer, 1 + 2.0)
        >>> optimizer.param_groups[0]["lr"]
        1.5
    """
    require_optimizer(optimizer, "scale_learning_rate")
    if not (isinstance(factor, (int, float)) and math.isfinite(factor) and factor > 0):
        raise ValueError(f"got factor={factor!r}, expected a finite number > 0, for instance 1 + lamb")
    if any("initial_lr" in group for group in optimizer.param_groups):
        raise AnglewiseError(
            "got an optimizer whose scheduler remembers the old learning rate, expected one without: call "
            "scale_learning_rate before building the scheduler"
        )
    for group in [*optimizer.param_groups, optimizer.defaults]:
        group["lr"] = group["lr"] * factor

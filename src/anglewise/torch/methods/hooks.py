"""Methods that act inside every ``step`` of the user's optimizer.

A *gradient filter* rewrites the gradients right before the update.  A *projection* rewrites the weights right after it.
Both attach by PyTorch's optimizer hooks and wrap nothing.  A wrapper has to imitate all of ``Optimizer``, and the
published wrappers forget a part: hyper-parameters never reach the base, the state dict lacks the base's moments, or
groups come apart on loading.  Here the optimizer *is* the base:

- learning-rate schedulers, ``param_groups``, ``zero_grad``, ``foreach``, ``fused`` and every hyper-parameter
  are the base's, untouched;
- a filter keeps its memory in ``optimizer.state``, in the parameter's dtype, like the base's moments; so
  ``state_dict`` and ``load_state_dict`` carry it;
- ``GradScaler`` either calls ``step`` with finite, unscaled gradients, or not at all.  For a fused optimizer it always
  calls ``step`` and leaves two numbers on the optimizer, and the filter obeys them.

The order inside one step: the closure, if any; filters, in the order attached; the base's update; projections, in the
order attached.  So ``clip_grad_norm_`` in the loop comes before the filters.  To clip what a filter returns, register
the clipping as a step pre-hook after the filter.  Filters rewrite ``p.grad`` in place.

Two limits, both of PyTorch.  Copying or pickling the optimizer drops its hooks: attach again, the memory is in the
state.  Sharded gradients (DTensor) have not been tried.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.optim import Optimizer

from anglewise.errors import AnglewiseError, AttachError


def require_optimizer(optimizer: object, kind: str) -> Optimizer:
    """Return `optimizer` if hooks can be attached to it.

    Args:
        optimizer: The caller's argument.
        kind: Name of the caller's class, for the message.

    Returns:
        The same object.

    Raises:
        AttachError: If it is no optimizer, or a wrapper that never became one.

    Example:
        >>> from torch.optim import SGD
        >>> require_optimizer(SGD([torch.zeros(1)], lr=0.1), "GrokfastEMA").__class__.__name__
        'SGD'
    """
    if not isinstance(optimizer, Optimizer) or not hasattr(optimizer, "_optimizer_step_pre_hooks"):
        raise AttachError(
            f"{kind} attaches to a torch.optim.Optimizer, got {type(optimizer).__name__}: build the "
            f"optimizer first, then {kind}(optimizer), before anything wraps it"
        )
    return optimizer


def is_skipped(optimizer: Optimizer) -> bool:
    """Whether a fused optimizer will skip the current step, since gradients overflowed.

    Example:
        >>> is_skipped(torch.optim.SGD([torch.zeros(1)], lr=0.1))
        False
    """
    overflow: Tensor | None = getattr(optimizer, "found_inf", None)
    return overflow is not None and bool(overflow.item())


def is_rehearsal(optimizer: Optimizer) -> bool:
    """Whether a checkpoint tool takes the current step only to make the optimizer create its state.

    ``torch.distributed.checkpoint.state_dict`` steps once with all gradients and all learning rates 0, before the first
    real step.  Such a step must change nothing but the state.

    Example:
        >>> w = torch.zeros(1, requires_grad=True)
        >>> w.grad = torch.zeros(1)
        >>> is_rehearsal(torch.optim.SGD([w], lr=0.0)), is_rehearsal(torch.optim.SGD([w], lr=0.1))
        (True, False)
    """
    if not all(float(group.get("lr", 1.0)) == 0 for group in optimizer.param_groups):
        return False
    grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    return bool(grads) and not any(bool(grad.count_nonzero()) for grad in grads)


class GradientFilter(ABC):
    r"""A map :math:`g \mapsto f(g, w)` applied to the gradients right before every update of an optimizer.

    Subclasses define :meth:`apply`, and :meth:`prepare` if they keep a memory.  Parameters without a gradient
    (frozen, or unused in this step) are passed over, and so are steps that ``GradScaler`` skips.

    Args:
        optimizer: Any ``torch.optim.Optimizer``; used as before.

    Raises:
        AttachError: If `optimizer` is no optimizer, or has a filter of this class already.

    Example:
        >>> class Flip(GradientFilter):
        ...     def apply(self, optimizer, params):
        ...         for p in params:
        ...             p.grad.neg_()
        >>> w = torch.zeros(1, requires_grad=True)
        >>> optimizer = torch.optim.SGD([w], lr=1.0)
        >>> flip = Flip(optimizer)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> w
        tensor([1.], requires_grad=True)
    """

    _attached: ClassVar[WeakKeyDictionary[Optimizer, set[type]]] = WeakKeyDictionary()

    def __init__(self, optimizer: Optimizer) -> None:
        kind = type(self).__name__
        self.optimizer = require_optimizer(optimizer, kind)
        kinds = self._attached.setdefault(optimizer, set())
        if type(self) in kinds:
            raise AttachError(
                f"got a second {kind} for one optimizer, expected at most one: remove() the first (two would "
                "share one memory)"
            )
        kinds.add(type(self))
        self._fresh: dict[Tensor, dict[str, Any]] = {}
        self._scale: Tensor | None = None
        self._handles = [
            optimizer.register_step_pre_hook(self._before),
            optimizer.register_step_post_hook(self._after),
        ]

    @abstractmethod
    def apply(self, optimizer: Optimizer, params: list[Tensor]) -> None:
        """Rewrite ``p.grad`` in place for every p of `params`; autograd is off.

        Args:
            optimizer: The optimizer that takes the step.
            params: Its parameters that have a gradient: dense, real, finite if a ``GradScaler`` looked,
                unscaled.
        """

    def prepare(self, optimizer: Optimizer, params: list[Tensor]) -> None:  # noqa: B027  stateless filters need none
        """Remember, for every p of `params`, what is known before the first gradient.

        Checkpoint tools ask for the state before there was a step, to load a saved one into its places.

        Args:
            optimizer: The optimizer that takes the step.
            params: Its parameters that have a gradient, which is 0.
        """

    def remove(self) -> None:
        """Detach from the optimizer.  The memory stays in its state, and a later filter goes on from it."""
        for handle in self._handles:
            handle.remove()
        self._attached[self.optimizer].discard(type(self))

    def recall(self, p: Tensor) -> Mapping[str, Any]:
        """What the optimizer's state holds for `p`; empty before the first step."""
        state: Mapping[str, Any] = self.optimizer.state.get(p, {})  # get, since [] would create
        return state

    def remember(self, p: Tensor, **memory: Any) -> None:
        """Put `memory` in the optimizer's state for `p` once this step has been taken.

        Not at once: Adam and others take a state that is not empty for their own.
        """
        self._fresh[p] = memory

    def _before(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            self._apply_all()
            return None
        calls = 0

        def filtered() -> Any:
            nonlocal calls
            calls += 1
            if calls > 1:
                raise AnglewiseError(
                    f"{type(optimizer).__name__} called the closure twice in one step, {type(self).__name__} "
                    "filters one gradient per step: use an optimizer that evaluates once"
                )
            loss = closure()
            self._apply_all()
            return loss

        if len(args) > 1:
            return (args[0], filtered, *args[2:]), kwargs
        return args, {**kwargs, "closure": filtered}

    @torch.no_grad()
    def _apply_all(self) -> None:
        optimizer = self.optimizer
        self._fresh.clear()
        if is_skipped(optimizer):
            return
        params = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        for p in params:
            if p.grad.layout != torch.strided or p.grad.is_complex():
                raise AnglewiseError(
                    f"{type(self).__name__} got a gradient of layout {p.grad.layout} and dtype "
                    f"{p.grad.dtype} for a parameter of shape {tuple(p.shape)}, expected dense and real: use "
                    "sparse=False in the embedding, or give that parameter an optimizer of its own"
                )
        if is_rehearsal(optimizer):
            self.prepare(optimizer, params)
            return
        scale: Tensor | None = getattr(optimizer, "grad_scale", None)
        if scale is not None:  # a fused optimizer would unscale inside its kernel
            for p in params:
                p.grad.div_(scale.to(p.device))
            self._scale = scale
            optimizer.grad_scale = None  # type: ignore[attr-defined]
        self.apply(optimizer, params)

    def _after(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for p, memory in self._fresh.items():
            optimizer.state[p].update(memory)
        self._fresh.clear()
        if self._scale is not None:
            optimizer.grad_scale, self._scale = self._scale, None  # type: ignore[attr-defined]

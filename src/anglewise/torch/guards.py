"""Guards: an error for each way in which a penalty on activations would silently do nothing.

Hooks cannot raise everywhere (a compiler traces them), so a tap notes a *fault* and the penalty raises it.  A
forward pass is *listened to* where gradients are on, no backward pass is running (checkpointing enters hooks
again there) and no `torch.func` transform is active (its tensors must not escape).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from anglewise.errors import AttachError

COMPILED = (
    "; if the model is compiled, attach before compiling (code that was made before, also for another model "
    "of the same class, ignores hooks: call torch.compiler.reset() before the first forward)"
)


def in_backward_or_transform() -> bool:
    """Whether this forward runs inside a backward pass (a recomputation) or a `torch.func` transform.

    PyTorch offers no public name for either.  Compiled code is traced outside of both.
    """
    if torch.compiler.is_compiling():
        return False
    return torch._C._current_graph_task_id() != -1 or torch._C._are_functorch_transforms_active()


def listening() -> bool:
    """Whether an activation that passes now can be penalised."""
    return torch.is_grad_enabled() and not in_backward_or_transform()


def note(notes: list[Any], value: Any) -> None:
    """Append `value`, also inside a checkpointed region that is being compiled.

    There the compiler refuses writes to the outside, since eager code would repeat them in backward.  Ours
    are ignored in backward, so they need not be repeated.  Releases before 2.8 have no such check to switch off.
    """
    if torch.compiler.is_compiling() and hasattr(torch._dynamo.utils, _UNCHECKED):
        torch._dynamo.utils._disable_side_effect_safety_checks_for_current_subtracer(_append, notes, value)
    else:
        notes.append(value)


_UNCHECKED = "_disable_side_effect_safety_checks_for_current_subtracer"


def _append(notes: list[Any], value: Any) -> None:
    notes.append(value)


def forget_compiled() -> None:
    """Drop all compiled code, if there is any: code made before a hook was attached would never call it.

    PyTorch's compiler guards on no hooks, and shares code between models of one class.
    """
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()


def unusable(module: nn.Module, h: Any, *, axis: int, whole: bool, graded: bool) -> str | None:
    """Why the radius of activation `h` would be wrong or without effect; None if all is well.

    Args:
        module: The site's module.
        h: The activation, or whatever stands in its place.
        axis: Where its width is.
        whole: `h` is the module's plain output, whose width an ``out_features`` declares.
        graded: The forward of the whole model runs with gradients enabled.
    """
    if not isinstance(h, Tensor):
        return (
            f"expected a tensor, got {type(h).__name__}: pass select= to take the activation from what the module gives"
        )
    if getattr(module, "_is_replica", False):
        return "the module is a DataParallel replica, whose activations are lost: use DistributedDataParallel"
    if not h.is_floating_point():
        return (
            f"expected a floating-point activation, got dtype {h.dtype}: choose another site, or pass "
            "select= to take another tensor of it"
        )
    if h.is_nested or h.layout != torch.strided:
        kind = "nested" if h.is_nested else str(h.layout).removeprefix("torch.")
        return (
            f"expected a dense activation, got a {kind} tensor: choose another site, or pass select= to make it dense"
        )
    if not -h.ndim <= axis < h.ndim:
        return f"axis {axis} does not exist in an activation of shape {tuple(h.shape)}: pass another axis="
    if type(h).__name__ == "DTensor":
        return (
            f"the activation is a DTensor with placements {h.placements}, so its width may be split over "  # type: ignore[attr-defined]
            "processes: attach after parallelize_module, or choose a site whose output is a plain tensor"
        )
    channels = h.ndim - len(module.kernel_size) - 1 if isinstance(module, nn.modules.conv._ConvNd) else None
    if whole and channels is not None and axis % h.ndim != channels:
        return (
            f"axis {axis} of a convolution's output of shape {tuple(h.shape)} is a place in the image, expected its "
            f"{module.out_channels} channels: pass axis={channels}"
        )
    declared = getattr(module, "out_features", None)
    if whole and axis in (-1, h.ndim - 1) and declared is not None and declared != h.shape[-1]:
        return (
            f"expected a width of {declared} (out_features), got {h.shape[-1]}: the hidden dimension is "
            "sharded; choose a site whose output is whole"
        )
    if graded and not torch.is_grad_enabled():
        return (
            "its activation does not require gradients although the model's forward does: reentrant "
            "checkpointing, or torch.no_grad inside the model; pass use_reentrant=False to "
            "torch.utils.checkpoint, or choose sites outside of it"
        )
    return None


def part_of_the_width(h: Tensor, axis: int, whole: torch.Size | None) -> str | None:
    """Why the radius of `h` would be that of a part of a vector, given the shape of the undivided output; or None."""
    if whole is None or (len(whole) == h.ndim and whole[axis] == h.shape[axis]):
        return None
    return (
        f"its vectors are split over processes: of an output of shape {tuple(whole)} this one has {tuple(h.shape)}, "
        f"expected a whole axis {axis}; choose a site whose output is whole"
    )


def never_taken() -> str:
    """Message for a second training forward while the notes of the first are still there."""
    return (
        "a second training forward began before the activations of the first were taken by penalty(): call "
        "penalty() once after every training forward and add the values up (with gradient accumulation, once "
        'per micro-batch), or pass forwards="several" to take those of several forwards at once; run a forward that is '
        "not trained on under torch.no_grad() or in eval mode; after an interrupted one call clear()"
    )


def reached_again(sites: Iterable[str]) -> str:
    """Message for sites that were reached more than once although the whole model was never called."""
    return (
        f"{', '.join(sites)} was reached more than once since the last penalty(), and not by way of the model's own "
        "forward, so that several forwards look like one: call penalty() after each of them; if one loss needs them "
        'all, pass forwards="several"'
    )


def nothing_captured(*, before: bool) -> str:
    """Message for a penalty without any activation; `before` says that an earlier penalty had some."""
    if before:
        return (
            "no training forward since the last penalty(): it was called twice, or the forward ran under "
            "torch.no_grad, torch.inference_mode or a torch.func transform (there use radial_penalty inside "
            "the function); call it once after every training forward"
        )
    return (
        "the model is in train mode but not one activation was captured: run the forward before penalty(), "
        "with gradients enabled and outside torch.func transforms (there use radial_penalty inside the "
        "function)" + COMPILED
    )


def check(sites: Iterable[str], captures: Iterable[tuple[str, Tensor, float]], *, partial: bool) -> None:
    """Raise where a site was not reached, or where nothing before it is trained.

    Raises:
        AttachError: Naming the sites; unless `partial` and at least one site is left.
    """
    reached = {site for site, *_ in captures}
    trained = {site for site, rho, _ in captures if rho.requires_grad}
    missing = [site for site in sites if site not in reached]
    frozen = [site for site in sites if site in reached - trained]
    if missing and not partial:
        raise AttachError(
            f"the model ran but no activation was captured at {', '.join(missing)}: keep these modules in "
            f"train mode; if a forward may leave sites out, pass partial=True{COMPILED}"
        )
    if frozen and not (partial and trained):
        raise AttachError(
            f"nothing that is trained comes before {', '.join(frozen)}, so the penalty has no gradient "
            "there: choose sites after trainable parameters; if some may be frozen, pass partial=True"
        )

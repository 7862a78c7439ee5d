"""What the adapters for other people's trainers share: which model is trained, and which vectors are padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from anglewise.errors import AttachError
from anglewise.torch.suppression import RadialSuppression


def check_attached(suppression: RadialSuppression, model: nn.Module) -> None:
    """Raise where the suppression listens to another model than the one in training, perhaps a copy.

    Args:
        suppression: As the user made it.
        model: What is trained, in whatever wrappers.

    Raises:
        AttachError: If no module of `model` is the one that the suppression is attached to.
    """
    if all(module is not suppression._model for module in model.modules()):
        raise AttachError(
            f"the suppression is attached to a {type(suppression._model).__name__} that is not part of the model in "
            "training: expected the very model that the trainer got, not a copy of it; with model_init pass "
            "suppression=lambda model: RadialSuppression(model, ...)"
        )


def token_mask(suppression: RadialSuppression, batch: Any) -> Tensor | None:
    """The batch's ``attention_mask``, if radii captured just now have its shape ``[batch, tokens]``.

    Args:
        suppression: After a forward, before its penalty.
        batch: A mapping, or anything else, which has no mask.

    Returns:
        The mask; flat, where all sites are; None where no site has its shape.
    """
    mask = batch.get("attention_mask") if isinstance(batch, Mapping) else None
    if not isinstance(mask, Tensor) or mask.ndim != 2:
        return None
    shapes = {tuple(rho.shape) for _, rho in suppression._log.found}
    if tuple(mask.shape) in shapes:
        return mask
    return mask.flatten() if shapes == {(mask.numel(),)} else None

"""What the adapters for other people's trainers share: the model in training, padding, and several suppressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from anglewise.errors import AttachError
from anglewise.torch.sites import assigned
from anglewise.torch.suppression import RadialSuppression

Mask: TypeAlias = Tensor | Mapping[str, Tensor | None] | None
_OTHER_SENSES = ("vision", "visual", "image", "audio", "speech")


def each(suppression: Any) -> tuple[RadialSuppression, ...]:
    """One suppression, or several, as a tuple; empty if it is neither."""
    if isinstance(suppression, RadialSuppression):
        return (suppression,)
    several = tuple(suppression) if isinstance(suppression, Sequence) else ()
    return several if all(isinstance(one, RadialSuppression) for one in several) else ()


def check_attached(suppressions: Iterable[RadialSuppression], model: nn.Module) -> None:
    """Raise where a suppression listens to another model than the one in training, perhaps a copy.

    Args:
        suppressions: Those that the user attached.
        model: What is trained, in whatever wrappers.

    Raises:
        AttachError: If no module of `model` is the one that a suppression is attached to.
    """
    for suppression in suppressions:
        if all(module is not suppression._model for module in model.modules()):
            raise AttachError(
                f"the suppression is attached to a {type(suppression._model).__name__} that is not part of the model "
                "in training: expected the very model that the trainer got, not a copy of it; with model_init pass "
                "suppression=lambda model: RadialSuppression(model, ...)"
            )


def total_penalty(suppressions: Sequence[RadialSuppression], mask: Mask, step: int) -> Tensor:
    """The sum of all penalties.

    Args:
        suppressions: At least one, after a forward.
        mask: One for all sites, or globs over the sites of all suppressions.
        step: Number of steps taken so far.
    """
    sites = [site for one in suppressions for site in one.sites]
    masks = assigned("mask", mask, sites) if isinstance(mask, Mapping) else dict.fromkeys(sites, mask)
    first, *others = (one.penalty(mask={site: masks[site] for site in one.sites}, step=step) for one in suppressions)
    for other in others:
        first = first + other.to(first.device)
    return first


def all_readings(suppressions: Iterable[RadialSuppression], loss: Tensor | float | None) -> dict[str, float]:
    """The readings of all suppressions; penalties and their shares of the loss add up."""
    readings: dict[str, float] = {}
    for one in suppressions:
        for name, value in one.readings(loss).items():
            added = name in ("penalty", "penalty_share")
            readings[name] = readings.get(name, 0.0) + value if added else value
    return readings


def owed_readings(suppressions: Iterable[RadialSuppression], step: int) -> None:
    """Take the penalties that nobody has taken since the last forward, for their readings alone."""
    for one in suppressions:
        if one.owed:
            one.penalty(step=step)


def token_mask(suppressions: Sequence[RadialSuppression], batch: Any, model: nn.Module) -> Mask:
    """Which vectors of each site are no padding, as far as a batch says it.

    In a model that has an encoder and a decoder, sites of the encoder get ``attention_mask``, those of the decoder
    ``decoder_attention_mask``, or else the places whose label is not -100.  In any other, all sites get
    ``attention_mask``, but for those that read images or sound.  Where PEFT puts virtual tokens before the others, they
    count.

    Args:
        suppressions: After a forward, before their penalties.
        batch: A mapping, or anything else, which has no mask.
        model: What is trained.

    Returns:
        A mask or None for every site; None if there is no padding anywhere.

    Raises:
        AttachError: If there is padding, and a site whose vectors it cannot be matched with.
    """
    for one in suppressions:
        one.settle()
    if not isinstance(batch, Mapping):
        return None
    whole, labels = batch.get("attention_mask"), batch.get("labels")
    target = batch.get("decoder_attention_mask")
    if target is None and isinstance(labels, Tensor) and labels.ndim == 2:
        target = labels != -100
    shapes = {site: rho.shape for one in suppressions for site, rho, _ in one._log.captures}
    sites = {site: site.split(".") for one in suppressions for site in one.sites}
    both = any("decoder" in parts for parts in sites.values()) and any(
        "encoder" in name.split(".") for name, _ in model.named_modules()
    )
    masks: dict[str, Tensor | None] = dict.fromkeys(sites)
    for site, parts in sites.items():
        mask = target if both and "decoder" in parts else whole
        other = any(sense in part for part in parts for sense in _OTHER_SENSES)
        if isinstance(mask, Tensor) and mask.ndim == 2 and site in shapes and not other:
            masks[site] = _matched(mask, shapes[site], site, model)
    return masks if any(mask is not None for mask in masks.values()) else None


def _matched(mask: Tensor, shape: torch.Size, site: str, model: nn.Module) -> Tensor | None:
    """`mask` in the shape of a site's radii; None where it leaves out nothing."""
    if mask.shape == shape:
        return mask
    if shape == (mask.numel(),):
        return mask.flatten()
    if len(shape) == 2 and shape[0] == mask.shape[0] and shape[1] - mask.shape[1] in _virtual_tokens(model):
        return torch.cat([mask.new_ones(shape[0], shape[1] - mask.shape[1]), mask], dim=1)
    if bool((mask != 0).all()):
        return None
    raise AttachError(
        f"the batch has padding, but its mask of shape {tuple(mask.shape)} does not fit the radii of site {site!r}, "
        f"which have shape {tuple(shape)}: override radial_mask to return a mask for each site, None where all count"
    )


def _virtual_tokens(model: nn.Module) -> set[int]:
    """Lengths of the prompts that PEFT puts before the tokens."""
    configs = [c for m in model.modules() for c in (getattr(m, "peft_config", None) or {}).values()]
    return {getattr(config, "num_virtual_tokens", 0) or 0 for config in configs} - {0}

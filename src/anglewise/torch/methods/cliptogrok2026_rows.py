r"""Clip to Grok: after every step, no row of weights is longer than c.

.. math:: w_{row} \leftarrow w_{row} \cdot \min(1, c / |w_{row}|)

A row is the last axis of a tensor, as released: a LayerNorm gain, a LayerNorm bias and a linear bias are each
*one row*.  A gain of ones in width 128 has length 11.3.  So c = 2 bounds the normalised activations too;
``vectors=False`` leaves gains and biases alone.

Source: repository NiftyliuS/cliptogrok, ``norms.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from anglewise.errors import AttachError, unknown
from anglewise.torch.methods.hooks import is_rehearsal, is_skipped, require_optimizer


class ClipRows:
    r"""Shorten every row that is longer than `c`, right after each step of an optimizer.

    .. math:: w_{row} \leftarrow w_{row} \cdot \min(1, c / |w_{row}|)

    It acts on the parameters that the optimizer trains, and never on frozen ones.  Several may be attached, for
    instance a second one for the head, with another bound.  :attr:`names` lists the clipped parameters.

    Args:
        optimizer: Any optimizer over parameters of `model`; it stays the one to use.
        model: Gives the parameters their names.
        c: Longest allowed row, in units of weight.
        exclude: Parts of names; a parameter whose name holds one is not clipped.  Those of the default need not exist.
        include: Parts of names; only parameters whose name holds one are clipped.  ``None`` means all.
        vectors: Clip tensors of fewer than two axes as one row, as released.
        start: Rows that are scaled to exactly `c` before training; rows of zeros stay.  ``"none"``;
            ``"all"`` that the optimizer trains, excluded ones too, as released for at most 3 layers; or parts of
            names.

    Raises:
        ValueError: If `c` is not positive, or a pattern comes as a bare string.
        AttachError: If `optimizer` is no optimizer, a pattern matches nothing, or nothing is left to clip.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> clip = ClipRows(optimizer, model, c=2.0, start="all")
        >>> round(float(model.weight.detach().norm()), 5)
        2.0
        >>> clip.names
        ('weight',)

    Source: ``clip_weight_norms`` and ``project_to_sphere`` as released.
    """

    RELEASED_EXCLUDE: ClassVar[tuple[str, ...]] = ("token_embeddings", "head")

    def __init__(
        self,
        optimizer: Optimizer,
        model: nn.Module,
        c: float = 2.0,
        *,
        exclude: Sequence[str] = RELEASED_EXCLUDE,
        include: Sequence[str] | None = None,
        vectors: bool = True,
        start: Literal["none", "all"] | Sequence[str] = "none",
    ) -> None:
        if not (isinstance(c, (int, float)) and math.isfinite(c) and c > 0):
            raise ValueError(f"got c={c!r}, expected a finite number > 0")
        parts = () if start in ("none", "all") else start
        for which, patterns in (("exclude", exclude), ("include", include or ()), ("start", parts)):
            if isinstance(patterns, str):
                raise ValueError(f"got {which}={patterns!r}, expected a sequence of strings: write ({patterns!r},)")
        self.optimizer = require_optimizer(optimizer, "ClipRows")
        self.c, self.vectors = c, vectors
        self._exclude, self._include = tuple(exclude), None if include is None else tuple(include)
        self._names: dict[Tensor, list[str]] = {}
        p: Tensor
        for name, p in model.named_parameters(remove_duplicate=False):  # tied weights have several names
            self._names.setdefault(p, []).append(name)
        known = [name for names in self._names.values() for name in names]
        asked = {*self._exclude, *(self._include or ()), *parts} - set(self.RELEASED_EXCLUDE)
        for pattern in sorted(asked):
            if not any(pattern in name for name in known):
                raise AttachError(unknown("part of a parameter's name", pattern, known))
        if not self._clipped():
            raise AttachError(
                f"got an optimizer none of whose parameters is to be clipped, expected some of {known}: pass "
                "the model that it trains, and check include, exclude and vectors"
            )
        with torch.no_grad():
            for p in self._trained():
                if start == "all" or self._matches(p, parts):
                    _scale_rows(p, c, shorten_only=False)
        self._handle = optimizer.register_step_post_hook(self._after)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that are clipped, by their first names."""
        return tuple(self._names[p][0] for p in self._clipped())

    def remove(self) -> None:
        """Detach from the optimizer."""
        self._handle.remove()

    def _matches(self, p: Tensor, patterns: Sequence[str]) -> bool:
        return any(pattern in name for pattern in patterns for name in self._names[p])

    def _trained(self) -> list[Tensor]:
        params = [p for group in self.optimizer.param_groups for p in group["params"]]
        return [p for p in params if p.requires_grad and p in self._names]

    def _clipped(self) -> list[Tensor]:
        return [
            p
            for p in self._trained()
            if (self.vectors or p.ndim > 1)
            and (self._include is None or self._matches(p, self._include))
            and not self._matches(p, self._exclude)
        ]

    @torch.no_grad()
    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not (is_skipped(optimizer) or is_rehearsal(optimizer)):
            for p in self._clipped():
                _scale_rows(p, self.c, shorten_only=True)


def _scale_rows(p: Tensor, length: float, *, shorten_only: bool) -> None:
    """Scale the rows of `p` to `length`, or only those that are longer."""
    rows = p.to(torch.promote_types(p.dtype, torch.float32)).reshape(-1, p.shape[-1] if p.ndim else 1)
    norm = torch.linalg.vector_norm(rows, dim=-1, keepdim=True).clamp(min=1e-8)
    wanted = norm.clamp(max=length) if shorten_only else length
    p.copy_((rows * (wanted / norm)).reshape(p.shape))

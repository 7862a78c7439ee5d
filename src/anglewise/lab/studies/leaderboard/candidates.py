"""How a candidate of a leaderboard is put together: AdamW with one idea added, or something instead of AdamW.

Candidates on AdamW share its axes: learning rate, decay, scale of the first embeddings.  Each adds at most two axes.
Candidates that replace AdamW have similar axes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from anglewise.lab.experiments.published import Published
from anglewise.lab.methods.cesista2025_constrained_muon import ConstrainedMuon
from anglewise.lab.methods.cliptogrok2026_rows import ClipRows
from anglewise.lab.methods.controls import ScaleInit
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.spec import Arm
from anglewise.lab.tuning.space import Axis, Candidate

LOSS, GRADIENT, OPTIMISER, WEIGHTS = "loss term", "gradient", "optimiser", "weights"
ACTIVATIONS, HEAD, START = "forward pass", "logits and loss", "first weights"
"""What a candidate changes."""
AS_PUBLISHED, JOINED = "as published", "two published settings joined"
"""Why a setting that is not tuned has no place in the ranking."""
Range: TypeAlias = tuple[float, float]


class Base(NamedTuple):
    """A track's plain optimiser, which all that add one idea to it share.

    Attributes:
        adamw: Where the search starts.
        lr: Range of its learning rate.
        wd: Range of its weight decay.
        scale: Range of the first embeddings' scale.
        lion_lr: Where the search for Lion's rate starts; 0 is the middle of its range.
        clip: Row clipping as it starts.
    """

    adamw: AdamW
    lr: Range
    wd: Range
    scale: Range = (0.2, 1.5)
    lion_lr: float = 0.0
    clip: ClipRows = ClipRows(c=1.5, embedding=True, head=True)

    def plus(
        self, name: str, source: str, changes: str, *, before: Sequence[Any] = (), after: Sequence[Any] = (),
        unranked: str = "", alone: str = "", **ranges: Range,
    ) -> Candidate:  # fmt: skip
        """AdamW with methods before or after it; `ranges` are of the last of them, or of AdamW if there is none."""
        methods = (self._scaled, *before, self.adamw, *after)
        at = 1 + len(before)
        own = len(methods) - 1 if after else max(at - 1, 1)
        axes = [Axis(0, "embedding", *self.scale), Axis(at, "lr", *self.lr), Axis(at, "wd", *self.wd)]
        axes += [Axis(own, field, *limits) for field, limits in ranges.items()]
        return Candidate(Arm(name, methods), tuple(axes), source, changes, unranked, alone)

    def instead(self, name: str, source: str, changes: str, *methods: tuple[Any, dict[str, Range]]) -> Candidate:
        """Methods instead of AdamW, each with the ranges of its fields."""
        axes = [Axis(0, "embedding", *self.scale)]
        axes += [Axis(i, field, *limits) for i, (_, own) in enumerate(methods, 1) for field, limits in own.items()]
        return Candidate(Arm(name, (self._scaled, *(method for method, _ in methods))), tuple(axes), source, changes)

    @property
    def _scaled(self) -> ScaleInit:
        """The scale of the first embeddings, before every optimiser."""
        return ScaleInit(embedding=math.sqrt(self.scale[0] * self.scale[1]))


def constrained_muon(
    source: str, method: ConstrainedMuon, name: str = "constrained-muon", loudest: float = 120.0, **ranges: Any
) -> Candidate:
    """Constrained Muon, with the head's gain up to `loudest`; in `ranges`, ``__`` is the dot of a schedule's field."""
    axes = [Axis(0, field, 0.1, 2.0) for field in ("lr_embedding", "lr_first", "lr_hidden", "lr_head")]
    axes += [Axis(0, "momentum", 0.1, 0.9), Axis(0, "gain_head", 8.0, loudest), Axis(0, "gain_embedding", 0.4, 2.5)]
    axes += [Axis(0, field.replace("__", "."), *limits) for field, limits in ranges.items()]
    return Candidate(Arm(name, (method,)), tuple(axes), source, OPTIMISER)


def with_penalty(candidate: Candidate) -> Candidate:
    """A candidate with the radial penalty behind it, tuned jointly."""
    methods = (*candidate.arm.methods, RadialPenalty(strength=0.03, target=0.5))
    last = len(methods) - 1
    return dataclasses.replace(
        candidate,
        arm=Arm(f"{candidate.arm.name}+radial", methods),
        axes=(*candidate.axes, Axis(last, "strength", 0.001, 1.0), Axis(last, "target", 0.2, 1.5)),
        source="with the penalty, tuned jointly",
        changes=LOSS,
        alone=candidate.arm.name,
    )


def as_published(name: str, setting: Published, changes: str) -> Candidate:
    """A published setting as it is; nothing of it is tuned."""
    return Candidate(Arm(name, setting.methods), (), setting.source, changes, AS_PUBLISHED)

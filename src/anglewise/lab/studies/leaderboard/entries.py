"""What is tuned on a track is put together here: an optimiser with one idea added to it, or something instead of it.

All that stand on AdamW share its axes (learning rate, decay, scale of the first embeddings) and bring at most two of
their own; those that replace the optimiser bring the like.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from anglewise.lab.methods.cliptogrok2026_rows import ClipRows
from anglewise.lab.methods.controls import ScaleInit
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.spec import Arm
from anglewise.lab.tuning.space import Axis, Entry

LOSS, GRADIENT, OPTIMISER, WEIGHTS, ACTIVATIONS, HEAD, START = (
    "loss term",
    "gradient",
    "optimiser",
    "weights",
    "forward pass",
    "logits and loss",
    "first weights",
)


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
    lr: tuple[float, float]
    wd: tuple[float, float]
    scale: tuple[float, float]
    lion_lr: float = 0.0
    clip: ClipRows = ClipRows(c=1.5, embedding=True, head=True)

    @property
    def head(self) -> tuple[Any, ...]:
        """What stands before every optimiser: the scale of the first embeddings."""
        return (ScaleInit(embedding=math.sqrt(self.scale[0] * self.scale[1])),)


def plus(
    base: Base,
    name: str,
    source: str,
    changes: str,
    *,
    before: Sequence[Any] = (),
    after: Sequence[Any] = (),
    own: Sequence[tuple[Any, str, float, float]] = (),
    closed: str = "",
) -> Entry:
    """AdamW with something before or after it; `own` are axes (method, field, low, high) of what was added."""
    methods = (*base.head, *before, base.adamw, *after)
    at = len(base.head) + len(before)
    shared = (Axis(0, "embedding", *base.scale), Axis(at, "lr", *base.lr), Axis(at, "wd", *base.wd))
    mine = tuple(Axis(methods.index(method), field, low, high) for method, field, low, high in own)
    return Entry(Arm(name, methods), (*shared, *mine), source, changes, closed)


def instead(
    base: Base,
    name: str,
    source: str,
    changes: str,
    methods: Sequence[Any],
    own: Sequence[tuple[int, str, float, float]],
    *,
    scaled: bool = True,
) -> Entry:
    """Something instead of AdamW; axes are (place in `methods`, field, low, high)."""
    head = base.head if scaled else ()
    shared = (Axis(0, "embedding", *base.scale),) if scaled else ()
    mine = tuple(Axis(len(head) + at, field, low, high) for at, field, low, high in own)
    return Entry(Arm(name, (*head, *methods)), (*shared, *mine), source, changes)


def penalised(entry: Entry) -> Entry:
    """The same entry with the radial penalty behind it, tuned jointly."""
    methods = (*entry.arm.methods, RadialPenalty(strength=0.03, target=0.5))
    own = (Axis(len(methods) - 1, "strength", 0.001, 1.0), Axis(len(methods) - 1, "target", 0.2, 1.5))
    return Entry(
        Arm(f"{entry.arm.name}+radial", methods),
        (*entry.axes, *own),
        "with the penalty, tuned jointly",
        LOSS,
        entry.closed,
    )

"""Constrained Muon as an entry of a track, and what else it can be tuned by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anglewise.lab.methods.cesista2025_constrained_muon import ConstrainedMuon
from anglewise.lab.spec import Arm
from anglewise.lab.studies.leaderboard.entries import OPTIMISER
from anglewise.lab.tuning.space import Axis, Entry


def constrained_entry(
    name: str,
    source: str,
    method: ConstrainedMuon,
    after: Sequence[Any] = (),
    own: Sequence[tuple[int, str, float, float]] = (),
    loudest: float = 120.0,
) -> Entry:
    """Constrained Muon, with something behind it; `own` are axes of it or of that, (place, field, low, high).

    `loudest` bounds the gain of the head.
    """
    axes = [Axis(0, field, 0.1, 2.0) for field in ("lr_embedding", "lr_first", "lr_hidden", "lr_head")]
    axes += [Axis(0, "momentum", 0.1, 0.9), Axis(0, "gain_head", 8.0, loudest), Axis(0, "gain_embedding", 0.4, 2.5)]
    axes += [Axis(at, field, low, high) for at, field, low, high in own]
    return Entry(Arm(name, (method, *after)), tuple(axes), source, OPTIMISER)


EVERYTHING = (
    (0, "lookahead", 0.01, 0.9),
    (0, "gain_hidden", 0.5, 4.0),
    (0, "gain_head.end", 8.0, 1000.0),
    (0, "rate.end", 0.02, 1.0),
    (0, "rate.steps", 15.0, 90.0),
)
"""What else constrained Muon's step can be tuned by, for who searches longer."""

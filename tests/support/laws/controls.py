"""Law cases: controls."""

from __future__ import annotations

from anglewise.lab.methods.controls import RadiusClamp, RadiusReplay, ScaleInit
from anglewise.lab.methods.matched_controls import MatchedNoise
from anglewise.lab.methods.penalty_controls import ShuffledPenalty, StopGradientPenalty
from anglewise.lab.methods.radius_init import RadiusInit
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.protocols.schedule import Recorded
from tests.support.laws.base import BASE, SEQUENCES, TRANSFORMER, Case

RADIAL = RadialPenalty(0.3, 0.7)
TRAJECTORY = Recorded((0.4, 0.8, 0.6), 4.0)

CASES = [
    Case("scale-init", (ScaleInit(0.5, 0.8), BASE), (ScaleInit(1.0, 1.0), BASE), (BASE,)),
    Case("radius-init", (RadiusInit(0.8), BASE)),
    Case("radius-init", (RadiusInit(0.8), BASE), task=SEQUENCES, model=TRANSFORMER),
    Case("radius-clamp", (BASE, RadiusClamp(0.7))),
    Case("radius-clamp-outer", (BASE, RadiusClamp(0.4, "outer")), (BASE, RadiusClamp(1e6, "outer")), (BASE,)),
    Case("radius-clamp-inner", (BASE, RadiusClamp(0.7, "inner")), (BASE, RadiusClamp(0.0, "inner")), (BASE,)),
    Case("radius-replay", (BASE, RadiusReplay(0.7, "hidden.1.pre"))),
    Case("radius-replay-recorded", (BASE, RadiusReplay(TRAJECTORY, "hidden.0.post", "stopped"))),
    Case("matched-noise", (MatchedNoise(), BASE, RADIAL), (MatchedNoise(0.0), BASE, RADIAL), (BASE, RADIAL)),
    Case(
        "matched-shrink",
        (MatchedNoise(1.0, "shrink", "global"), BASE, RADIAL),
        (MatchedNoise(0.0, "shrink", "global"), BASE, RADIAL),
        (BASE, RADIAL),
    ),
    Case("shuffled-penalty", (BASE, ShuffledPenalty(0.3, 0.7)), (BASE, ShuffledPenalty(0.0, 0.7)), (BASE,)),
    Case("random-penalty", (BASE, ShuffledPenalty(0.3, 0.7, along="random"))),
    Case("stop-gradient", (BASE, StopGradientPenalty(0.3, 0.7)), (BASE, StopGradientPenalty(0.0, 0.7)), (BASE,)),
    Case(
        "stop-gradient-below",
        (BASE, StopGradientPenalty(0.3, 0.7, reaches="below")),
        task=SEQUENCES,
        model=TRANSFORMER,
    ),
]

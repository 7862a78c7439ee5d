"""Law cases: penalties on activations, norms, projections, heads and losses."""

from __future__ import annotations

from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from laws_base import BASE, Case

CASES = [
    Case("radial", (BASE, RadialPenalty(0.3, 0.7)), (BASE, RadialPenalty(0.0, 0.7)), (BASE,)),
    Case("radial", (BASE, RadialPenalty(0.3, 0.7, over="mean", side="outer")), None),
    Case("radial", (BASE, RadialPenalty(0.3, 0.7, sites=("hidden.1.post",), side="inner")), None),
    Case("man", (BASE, MAN(0.4)), (BASE, MAN(0.0)), (BASE,)),
]

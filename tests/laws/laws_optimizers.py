"""Law cases: optimisers."""

from __future__ import annotations

from anglewise.lab.methods.optimizers import SGD, Adam, AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.schedules import Linear, Warmup
from laws_base import BASE, Case

CASES = [
    Case("adamw", (BASE,), (AdamW(lr=0.0, wd=0.5),), still=True),
    Case("adam", (Adam(lr=0.02, wd=0.01),), (Adam(lr=0.0, wd=0.01),), still=True),
    Case("sgd", (SGD(lr=0.1, wd=0.01, momentum=0.9),), (SGD(lr=0.0),), still=True),
    Case(
        "adamw",
        (AdamW(lr=Warmup(0.02, 4.0), wd=Linear(1.0, 0.0, 8.0)), RadialPenalty(Linear(0.5, 0.1, 6.0), 0.5)),
    ),
]

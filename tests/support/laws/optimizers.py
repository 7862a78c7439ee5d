"""Law cases: optimisers."""

from __future__ import annotations

from anglewise.lab.methods.cesista2025_constrained_muon import ConstrainedMuon
from anglewise.lab.methods.chen2023_lion import Lion, SignSGD
from anglewise.lab.methods.jordan2024_muon import Muon
from anglewise.lab.methods.optimizers import SGD, Adam, AdamW
from anglewise.lab.methods.pasand2025_egd import EGD
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.protocols.schedule import Linear, Warmup
from tests.support.laws.base import BASE, SEQUENCES, TRANSFORMER, Case

STEEP = SGD(lr=0.05, wd=0.01)

CASES = [
    Case("adamw", (BASE,), (AdamW(lr=0.0, wd=0.5),), still=True),
    Case("adam", (Adam(lr=0.02, wd=0.01),), (Adam(lr=0.0, wd=0.01),), still=True),
    Case("sgd", (SGD(lr=0.1, wd=0.01, momentum=0.9),), (SGD(lr=0.0),), still=True),
    Case(
        "adamw",
        (AdamW(lr=Warmup(0.02, 4.0), wd=Linear(1.0, 0.0, 8.0)), RadialPenalty(Linear(0.5, 0.1, 6.0), 0.5)),
    ),
    Case("lion", (Lion(2e-3, 0.5),), (Lion(0.0, 0.5),), still=True),
    Case("signsgd", (SignSGD(2e-3, 0.5),), (SignSGD(0.0, 0.5),), still=True),
    Case("muon", (Muon(aux_lr=0.01, aux_wd=0.5, head_lr=5e-3),), (Muon(0.0, aux_lr=0.0, head_lr=0.0),), still=True),
    Case("muon", (Muon(0.01, scale="rms", all_matrices=True),), task=SEQUENCES, model=TRANSFORMER),
    Case("constrained-muon", (ConstrainedMuon(0.1, 0.1, 0.1, 0.1, gain_head=10.0, vectors="msign"),)),
    Case("constrained-muon", (ConstrainedMuon(0.05, 0.05, 0.05, 0.05),), task=SEQUENCES, model=TRANSFORMER),
    Case("egd", (EGD(0.8), STEEP), (EGD(0.0), STEEP), (STEEP,)),
    Case("egd", (EGD(kind="rsvd", rank=4), STEEP)),
    Case("egd", (EGD(kind="column", floor=0.01), STEEP)),
]

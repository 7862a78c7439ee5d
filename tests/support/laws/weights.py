"""Law cases: what acts on the weights."""

from __future__ import annotations

from anglewise.lab.methods.cliptogrok2026_rows import ClipRows
from anglewise.lab.methods.miyato2018_spectral_norm import SpectralNorm
from anglewise.lab.methods.norm_clamp import NormClamp, NormReplay
from anglewise.lab.methods.notsawo2025_sparsity import L1, Nuclear
from anglewise.lab.methods.salimans2016_weight_norm import WeightNorm
from anglewise.lab.protocols.schedule import Linear
from tests.support.laws.base import BASE, SEQUENCES, TRANSFORMER, Case

CASES: list[Case] = [
    Case("clip-rows", (BASE, ClipRows(0.5)), (BASE, ClipRows(1e9)), (BASE,)),
    Case("clip-rows", (BASE, ClipRows(1.5, start="edge_ln", head=True)), task=SEQUENCES, model=TRANSFORMER),
    Case("norm-clamp", (BASE, NormClamp(0.8)), (BASE, NormClamp(0.8, strength=0.0)), (BASE,)),
    Case("norm-clamp", (BASE, NormClamp(0.8, per="tensor", roles=("hidden", "head")))),
    Case("norm-clamp", (BASE, NormClamp(1.1, reference=9.0, to="given"))),
    Case("norm-replay", (BASE, NormReplay(Linear(8.0, 6.0, 10.0)))),
    Case("norm-replay", (BASE, NormReplay(2.0, "layers.1.weight"))),
    Case("spectral-norm", (BASE, SpectralNorm(0.5, "cap")), (BASE, SpectralNorm(1e9, "cap")), (BASE,)),
    Case("spectral-norm", (BASE, SpectralNorm(1.5, head=True)), task=SEQUENCES, model=TRANSFORMER),
    Case("weight-norm", (BASE, WeightNorm())),
    Case("weight-norm", (BASE, WeightNorm(1.3, scale="fixed", head=False))),
    Case("l1", (BASE, L1(3e-3)), (BASE, L1(0.0)), (BASE,)),
    Case("l1", (BASE, L1(0.2, lr=0.02, form="proximal")), (BASE, L1(0.0, form="proximal")), (BASE,)),
    Case("nuclear", (BASE, Nuclear(3e-3)), (BASE, Nuclear(0.0)), (BASE,)),
    Case("nuclear", (BASE, Nuclear(0.2, lr=0.02, form="proximal")), (BASE, Nuclear(0.0, form="proximal")), (BASE,)),
]

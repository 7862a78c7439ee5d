"""Law cases: what acts on the gradient before the optimiser."""

from __future__ import annotations

from anglewise.lab.methods.foret2021_sam import SAM
from anglewise.lab.methods.grokadamw import GrokAdamW
from anglewise.lab.methods.lee2024_grokfast import GrokfastControl, GrokfastEMA, GrokfastMA
from anglewise.lab.methods.optimizers import SGD
from anglewise.lab.methods.pascanu2013_clip import ClipGradient
from anglewise.lab.methods.prieto2025_orthograd import PerpGrad
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.methods.yu2020_pcgrad import PCGrad
from anglewise.lab.methods.zhou2025_neuralgrok import GradNorm, NeuralGrok
from tests.support.laws.base import BASE, Case

SLOW = SGD(lr=0.05)

CASES: list[Case] = [
    Case("grokfast-ema", (GrokfastEMA(0.8, 2.0), BASE), (GrokfastEMA(0.8, 0.0), BASE), (BASE,)),
    Case("grokfast-ma", (GrokfastMA(2.0, window=4), BASE), (GrokfastMA(0.0, window=4), BASE), (BASE,)),
    Case("grokfast-control", (BASE, GrokfastControl(1.0)), (BASE, GrokfastControl(0.0)), (BASE,)),
    Case("grokadamw", (GrokAdamW(lr=0.01, wd=0.5, signal=0.5),), (GrokAdamW(lr=0.0, wd=0.5),), still=True),
    Case("clip", (ClipGradient(0.05), SLOW), (ClipGradient(1e9), SLOW), (SLOW,)),
    Case("perpgrad", (PerpGrad(0.8), BASE), (PerpGrad(0.0), BASE), (BASE,)),
    Case("perpgrad", (PerpGrad(0.8, per="row"), BASE)),
    Case("perpgrad", (PerpGrad(0.8, per="global", rescale=False), BASE)),
    Case("gradnorm", (GradNorm(0.5), SLOW), (GradNorm(0.0), SLOW), still=True),
    Case("neuralgrok", (NeuralGrok(0.5, 0.01, 0.1, every=3, hidden=(8, 4)), BASE)),
    Case("pcgrad", (PCGrad(), BASE, RadialPenalty(0.3, 0.7))),
    Case("sam", (SAM(0.05), BASE), (SAM(0.0), BASE), (BASE,)),
    Case("sam", (SAM(0.5, adaptive=True), BASE, RadialPenalty(0.3, 0.7))),
]

"""Law cases: penalties on activations, norms, projections, heads and losses."""

from __future__ import annotations

import dataclasses

from anglewise.lab.methods.ba2016_norms import LayerNorm, RMSNorm
from anglewise.lab.methods.baek2025_harmonic import Harmonic
from anglewise.lab.methods.logits import LabelSmoothing, LogitNorm, Temperature, ZLoss
from anglewise.lab.methods.loshchilov2024_ngpt import NGPT
from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.merity2017_ar import AR, TAR
from anglewise.lab.methods.premakumar2024_self_modelling import SelfModelling
from anglewise.lab.methods.prieto2025_stablemax import Softmax64, StableMax
from anglewise.lab.methods.projection import ProjectSTE, ProjectTangential
from anglewise.lab.methods.srivastava2014_dropout import Dropout
from anglewise.lab.methods.teoh2025_nextlat import NextLatent
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.methods.xu2025_groktransfer import GrokTransfer
from anglewise.lab.methods.yildirim2026_sphere import SphereCosine
from tests.support.laws.base import BASE, SEQUENCES, TRANSFORMER, Case

STREAM = {"task": SEQUENCES, "model": TRANSFORMER}
BARE = {"task": SEQUENCES, "model": dataclasses.replace(TRANSFORMER, norm="none")}

CASES = [
    Case("radial", (BASE, RadialPenalty(0.3, 0.7)), (BASE, RadialPenalty(0.0, 0.7)), (BASE,)),
    Case("radial", (BASE, RadialPenalty(0.3, 0.7, over="mean", side="outer")), None),
    Case("radial", (BASE, RadialPenalty(0.3, 0.7, sites=("hidden.1.post",), side="inner")), None),
    Case("man", (BASE, MAN(0.4)), (BASE, MAN(0.0)), (BASE,)),
    Case("dropout", (BASE, Dropout(0.3)), (BASE, Dropout(0.0)), (BASE,)),
    Case("ar", (BASE, AR(0.5)), (BASE, AR(0.0)), (BASE,)),
    Case("tar", (BASE, TAR(0.5)), (BASE, TAR(0.0)), (BASE,), **STREAM),
    Case("project-tangential", (BASE, ProjectTangential(0.7))),
    Case("project-ste", (BASE, ProjectSTE(0.7))),
    Case("layer-norm", (BASE, LayerNorm())),
    Case("layer-norm", (BASE, LayerNorm(affine=False)), **STREAM),
    Case("rms-norm", (BASE, RMSNorm())),
    Case("sphere-cosine", (BASE, SphereCosine())),
    Case("sphere-cosine", (BASE, SphereCosine()), **BARE),
    Case("ngpt", (BASE, NGPT()), **BARE),
    Case("ngpt", (BASE, NGPT(learned=False)), **BARE),
    Case("temperature", (BASE, Temperature(2.0)), (BASE, Temperature(1.0)), (BASE,)),
    Case("logit-norm", (BASE, LogitNorm(0.02)), (BASE, LogitNorm(0.0)), (BASE,)),
    Case("label-smoothing", (BASE, LabelSmoothing(0.2)), (BASE, LabelSmoothing(0.0)), (BASE,)),
    Case("z-loss", (BASE, ZLoss(0.02)), (BASE, ZLoss(0.0)), (BASE,)),
    Case("stablemax", (BASE, StableMax())),
    Case("stablemax", (BASE, StableMax(precision="as trained"))),
    Case("softmax64", (BASE, Softmax64())),
    Case("harmonic", (BASE, Harmonic())),
    Case("self-modelling", (BASE, SelfModelling(0.5))),
    Case("self-modelling", (BASE, SelfModelling(0.5)), **STREAM),
    Case("next-latent", (BASE, NextLatent()), **STREAM),
    Case("groktransfer", (BASE, GrokTransfer(weak_steps=20))),
    Case("groktransfer", (BASE, GrokTransfer(weak_steps=20)), **STREAM),
]

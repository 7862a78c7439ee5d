"""The rivals: every method that works on any model, with axes over its numbers, the same on every track."""

from __future__ import annotations

import dataclasses
import math

from anglewise.lab.methods.ba2016_norms import LayerNorm, RMSNorm
from anglewise.lab.methods.baek2025_harmonic import Harmonic
from anglewise.lab.methods.chen2023_lion import Lion, SignSGD
from anglewise.lab.methods.foret2021_sam import SAM
from anglewise.lab.methods.grokadamw import GrokAdamW
from anglewise.lab.methods.jordan2024_muon import Muon
from anglewise.lab.methods.lee2024_grokfast import GrokfastControl, GrokfastEMA, GrokfastMA
from anglewise.lab.methods.logits import LabelSmoothing, LogitNorm, Temperature, ZLoss
from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.merity2017_ar import AR
from anglewise.lab.methods.miyato2018_spectral_norm import SpectralNorm
from anglewise.lab.methods.norm_clamp import NormClamp
from anglewise.lab.methods.notsawo2025_sparsity import L1, Nuclear
from anglewise.lab.methods.optimizers import SGD, Adam
from anglewise.lab.methods.pasand2025_egd import EGD
from anglewise.lab.methods.premakumar2024_self_modelling import SelfModelling
from anglewise.lab.methods.prieto2025_orthograd import PerpGrad
from anglewise.lab.methods.prieto2025_stablemax import Softmax64, StableMax
from anglewise.lab.methods.projection import ProjectSTE, ProjectTangential
from anglewise.lab.methods.salimans2016_weight_norm import WeightNorm
from anglewise.lab.methods.srivastava2014_dropout import Dropout
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.methods.xu2025_groktransfer import GrokTransfer
from anglewise.lab.methods.yildirim2026_sphere import SphereCosine
from anglewise.lab.methods.yu2020_pcgrad import PCGrad
from anglewise.lab.methods.zhou2025_neuralgrok import GradNorm, NeuralGrok
from anglewise.lab.protocols.schedule import Warmup
from anglewise.lab.studies.leaderboard.entries import (
    ACTIVATIONS,
    GRADIENT,
    HEAD,
    LOSS,
    OPTIMISER,
    START,
    WEIGHTS,
    Base,
    instead,
    plus,
)
from anglewise.lab.tuning.space import Entry


def rivals(base: Base) -> list[Entry]:
    """Every method that works on any model, on one base."""
    a, (low, high) = base.adamw, base.lr
    ema, ma, control = GrokfastEMA(alpha=0.9, lamb=1.0), GrokfastMA(lamb=1.0, window=10), GrokfastControl(lamb=1.0)
    radial, protected = RadialPenalty(strength=0.1, target=0.5), RadialPenalty(strength=0.1, target=0.5)
    lion_lr, lion_wd = (low / 30, high / 8), (base.wd[0] * 3, base.wd[1] * 10)
    rate = Warmup(base.lion_lr or math.sqrt(lion_lr[0] * lion_lr[1]), 3.0)
    lion, sign = Lion(lr=rate, wd=base.wd[1], beta1=0.9, beta2=0.97), SignSGD(lr=rate, wd=base.wd[1])
    sgd = SGD(lr=5.0, wd=1e-3, momentum=0.8)
    sgd_axes = ((0, "lr", 0.05, 50.0), (0, "wd", 1e-5, 3e-2), (0, "momentum", 0.5, 0.98))
    everywhere = ("embedding", "hidden", "head")
    gentle = SGD(lr=0.1, wd=0.1, momentum=0.5)
    egd_axes = ((1, "lr", 0.005, 1.0), (1, "wd", 1e-3, 1.0), (1, "momentum", 0.05, 0.95))
    muon = Muon(lr=0.1, wd=0.5, momentum=0.9, aux_lr=0.02, aux_wd=1.0, head_lr=0.02)
    return [
        plus(base, "adamw", "arXiv 1711.05101", OPTIMISER, own=((a, "beta2", 0.9, 0.999),)),
        instead(
            base,
            "adam",
            "arXiv 1412.6980, coupled L2",
            OPTIMISER,
            (Adam(lr=a.lr, wd=3e-3, beta1=a.beta1, beta2=a.beta2, eps=a.eps),),
            ((0, "lr", low, high), (0, "wd", 1e-4, 0.1), (0, "beta2", 0.9, 0.999)),
        ),
        instead(base, "sgd", "heavy ball, coupled L2", OPTIMISER, (sgd,), sgd_axes),
        instead(
            base,
            "lion",
            "arXiv 2302.06675",
            OPTIMISER,
            (lion,),
            ((0, "lr", *lion_lr), (0, "wd", *lion_wd), (0, "beta2", 0.9, 0.995)),
        ),
        instead(base, "signsgd", "arXiv 1802.04434", OPTIMISER, (sign,), ((0, "lr", *lion_lr), (0, "wd", *lion_wd))),
        instead(
            base,
            "muon",
            "repository KellerJordan/Muon",
            OPTIMISER,
            (muon,),
            (
                (0, "lr", 0.005, 0.5),
                (0, "wd", 0.02, 10.0),
                (0, "aux_lr", low, high),
                (0, "aux_wd", *base.wd),
                (0, "head_lr", low / 3, high),
            ),
        ),
        instead(
            base, "egd", "arXiv 2510.04930, exact", GRADIENT, (EGD(kind="svd", roles=everywhere), gentle), egd_axes
        ),
        instead(
            base,
            "egd-rsvd",
            "arXiv 2510.04930, randomised, rank 36",
            GRADIENT,
            (EGD(kind="rsvd", rank=36, roles=everywhere), gentle),
            egd_axes,
        ),
        instead(
            base,
            "egd-column",
            "arXiv 2510.04930, column normalisation",
            GRADIENT,
            (EGD(kind="column", roles=everywhere), gentle),
            egd_axes,
        ),
        plus(
            base,
            "grokfast-ema",
            "arXiv 2405.20233",
            GRADIENT,
            before=(ema,),
            own=((ema, "alpha", 0.5, 0.99), (ema, "lamb", 0.1, 5.0)),
        ),
        plus(
            base, "grokfast-ma", "arXiv 2405.20233, window 10", GRADIENT, before=(ma,), own=((ma, "lamb", 0.1, 10.0),)
        ),
        plus(
            base,
            "grokfast-control",
            "the larger step that Grokfast is at rest",
            GRADIENT,
            after=(control,),
            own=((control, "lamb", 0.1, 5.0),),
        ),
        instead(
            base,
            "grokadamw",
            "repository cognitivecomputations/grokadamw",
            GRADIENT,
            (GrokAdamW(lr=a.lr, wd=a.wd, beta1=a.beta1, beta2=a.beta2, alpha=0.9, lamb=1.0),),
            ((0, "lr", low, high), (0, "wd", *base.wd), (0, "alpha", 0.5, 0.99), (0, "lamb", 0.1, 5.0)),
        ),
        plus(base, "perpgrad", "arXiv 2501.04697", GRADIENT, before=(PerpGrad(),)),
        plus(base, "perpgrad+stablemax", "arXiv 2501.04697", GRADIENT, before=(PerpGrad(), StableMax())),
        plus(base, "gradnorm", "arXiv 2504.17243, its ablation", GRADIENT, before=(GradNorm(),)),
        plus(
            base,
            "neuralgrok",
            "arXiv 2504.17243, as published",
            GRADIENT,
            before=(n := NeuralGrok(hidden=(32,)),),
            own=((n, "meta_lr", 1e-5, 1e-2), (n, "inner_lr", 1e-3, 0.3)),
        ),
        plus(
            base,
            "pcgrad",
            "arXiv 2001.06782, between task and radial penalty",
            GRADIENT,
            before=(PCGrad(),),
            after=(protected,),
            own=((protected, "strength", 0.005, 1.0), (protected, "target", 0.2, 1.5)),
        ),
        plus(base, "sam", "arXiv 2010.01412", GRADIENT, before=(s := SAM(),), own=((s, "rho", 0.003, 0.5),)),
        plus(
            base,
            "radial",
            "arXiv 2606.32000",
            LOSS,
            after=(radial,),
            own=((radial, "strength", 0.005, 1.0), (radial, "target", 0.2, 1.5)),
        ),
        plus(base, "man", "arXiv 2512.08314", LOSS, after=(m := MAN(zeta=0.1),), own=((m, "zeta", 0.005, 1.0),)),
        plus(base, "ar", "arXiv 1708.01009", LOSS, after=(r := AR(alpha=0.05),), own=((r, "alpha", 1e-3, 1.0),)),
        plus(
            base,
            "self-modelling",
            "arXiv 2407.10188",
            LOSS,
            after=(sm := SelfModelling(alpha=0.1),),
            own=((sm, "alpha", 1e-3, 10.0),),
        ),
        plus(base, "l1", "arXiv 2506.05718", WEIGHTS, after=(one := L1(beta=1e-5),), own=((one, "beta", 1e-6, 1e-3),)),
        plus(
            base,
            "nuclear",
            "arXiv 2506.05718",
            WEIGHTS,
            after=(nu := Nuclear(beta=1e-4),),
            own=((nu, "beta", 1e-5, 1e-2),),
        ),
        plus(
            base,
            "clip-rows+adamw",
            "repository NiftyliuS/cliptogrok",
            WEIGHTS,
            after=(base.clip,),
            own=((base.clip, "c", 0.3, 5.0),),
        ),
        instead(
            base,
            "clip-rows+lion",
            "repository NiftyliuS/cliptogrok",
            WEIGHTS,
            (dataclasses.replace(lion, wd=0.0), base.clip),
            ((0, "lr", *lion_lr), (0, "beta2", 0.9, 0.995), (1, "c", 0.3, 5.0)),
        ),
        plus(
            base,
            "norm-clamp",
            "arXiv 2606.18465, to a multiple of the initial norm",
            WEIGHTS,
            after=(nc := NormClamp(rho=0.6),),
            own=((nc, "rho", 0.15, 2.0),),
        ),
        plus(
            base,
            "spectral-norm",
            "arXiv 1802.05957, capped",
            ACTIVATIONS,
            after=(sn := SpectralNorm(c=3.0, mode="cap"),),
            own=((sn, "c", 0.5, 20.0),),
        ),
        plus(base, "weight-norm", "arXiv 1602.07868", ACTIVATIONS, after=(WeightNorm(),)),
        plus(
            base,
            "dropout",
            "JMLR 15 (2014) 1929",
            ACTIVATIONS,
            after=(d := Dropout(rate=0.05),),
            own=((d, "rate", 0.005, 0.5),),
        ),
        plus(base, "layer-norm", "arXiv 1607.06450, affine", ACTIVATIONS, after=(LayerNorm(affine=True),)),
        plus(
            base, "layer-norm-plain", "arXiv 1607.06450, without gains", ACTIVATIONS, after=(LayerNorm(affine=False),)
        ),
        plus(base, "rms-norm", "arXiv 1910.07467, affine", ACTIVATIONS, after=(RMSNorm(affine=True),)),
        plus(
            base,
            "project-tangential",
            "hard projection, true gradient",
            ACTIVATIONS,
            after=(pt := ProjectTangential(),),
            own=((pt, "target", 0.1, 5.0),),
        ),
        plus(
            base,
            "project-ste",
            "hard projection, straight-through",
            ACTIVATIONS,
            after=(ps := ProjectSTE(),),
            own=((ps, "target", 0.1, 5.0),),
        ),
        plus(
            base,
            "sphere-cosine",
            "arXiv 2603.05228",
            ACTIVATIONS,
            after=(sc := SphereCosine(temperature=10.0),),
            own=((sc, "temperature", 3.0, 100.0),),
        ),
        plus(
            base,
            "temperature",
            "arXiv 2606.18465, logits over tau",
            HEAD,
            after=(t := Temperature(tau=1.0),),
            own=((t, "tau", 0.1, 10.0),),
        ),
        plus(
            base,
            "logit-norm",
            "squared logits in the loss",
            HEAD,
            after=(ln := LogitNorm(beta=1e-3),),
            own=((ln, "beta", 1e-5, 0.1),),
        ),
        plus(
            base,
            "label-smoothing",
            "arXiv 1512.00567",
            HEAD,
            after=(ls := LabelSmoothing(smoothing=0.05),),
            own=((ls, "smoothing", 0.003, 0.5),),
        ),
        plus(
            base,
            "z-loss",
            "arXiv 2204.02311",
            HEAD,
            after=(z := ZLoss(strength=1e-3),),
            own=((z, "strength", 1e-5, 0.1),),
        ),
        plus(base, "stablemax", "arXiv 2501.04697", HEAD, before=(StableMax(),)),
        plus(base, "softmax64", "arXiv 2501.04697, loss in float64", HEAD, before=(Softmax64(),)),
        plus(base, "harmonic", "arXiv 2502.01628", HEAD, before=(Harmonic(exponent=14),)),
        plus(
            base,
            "groktransfer",
            "arXiv 2504.13292",
            START,
            before=(g := GrokTransfer(),),
            own=((g, "scale", 0.05, 1.0),),
            closed="starts from a trained embedding",
        ),
    ]

"""Every method that works on any model, with axes over its numbers, the same on every track."""

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
from anglewise.lab.studies.leaderboard.candidates import (
    ACTIVATIONS,
    GRADIENT,
    HEAD,
    LOSS,
    OPTIMISER,
    START,
    WEIGHTS,
    Base,
)
from anglewise.lab.tuning.space import Candidate


def methods_on(base: Base) -> list[Candidate]:
    """Every method that works on any model, on one base."""
    a, plus, instead = base.adamw, base.plus, base.instead
    low, high = base.lr
    lion_lr, lion_wd = (low / 30, high / 8), (base.wd[0] * 3, base.wd[1] * 10)
    rate = Warmup(base.lion_lr or math.sqrt(lion_lr[0] * lion_lr[1]), 3.0)
    lion, sign = Lion(lr=rate, wd=base.wd[1], beta1=0.9, beta2=0.97), SignSGD(lr=rate, wd=base.wd[1])
    everywhere = ("embedding", "hidden", "head")
    gentle = (SGD(lr=0.1, wd=0.1, momentum=0.5), {"lr": (0.005, 1.0), "wd": (1e-3, 1.0), "momentum": (0.05, 0.95)})
    radial = RadialPenalty(strength=0.1, target=0.5)
    muon = Muon(lr=0.1, wd=0.5, momentum=0.9, aux_lr=0.02, aux_wd=1.0, head_lr=0.02)
    grokadamw = GrokAdamW(lr=a.lr, wd=a.wd, beta1=a.beta1, beta2=a.beta2, alpha=0.9, lamb=1.0)
    return [
        plus("adamw", "arXiv 1711.05101", OPTIMISER, beta2=(0.9, 0.999)),
        instead("adam", "arXiv 1412.6980, coupled L2", OPTIMISER, (
            Adam(lr=a.lr, wd=3e-3, beta1=a.beta1, beta2=a.beta2, eps=a.eps),
            {"lr": (low, high), "wd": (1e-4, 0.1), "beta2": (0.9, 0.999)},
        )),
        instead("sgd", "heavy ball, coupled L2", OPTIMISER, (
            SGD(lr=5.0, wd=1e-3, momentum=0.8), {"lr": (0.05, 50.0), "wd": (1e-5, 3e-2), "momentum": (0.5, 0.98)},
        )),
        instead("lion", "arXiv 2302.06675", OPTIMISER, (lion, {"lr": lion_lr, "wd": lion_wd, "beta2": (0.9, 0.995)})),
        instead("signsgd", "arXiv 1802.04434", OPTIMISER, (sign, {"lr": lion_lr, "wd": lion_wd})),
        instead("muon", "repository KellerJordan/Muon", OPTIMISER, (muon, {
            "lr": (0.005, 0.5), "wd": (0.02, 10.0), "aux_lr": (low, high), "aux_wd": base.wd,
            "head_lr": (low / 3, high),
        })),
        instead("egd", "arXiv 2510.04930, exact", GRADIENT, (EGD(kind="svd", roles=everywhere), {}), gentle),
        instead("egd-rsvd", "arXiv 2510.04930, randomised, rank 36", GRADIENT,
                (EGD(kind="rsvd", rank=36, roles=everywhere), {}), gentle),
        instead("egd-column", "arXiv 2510.04930, column normalisation", GRADIENT,
                (EGD(kind="column", roles=everywhere), {}), gentle),
        plus("grokfast-ema", "arXiv 2405.20233", GRADIENT, before=[GrokfastEMA(alpha=0.9, lamb=1.0)],
             alpha=(0.5, 0.99), lamb=(0.1, 5.0)),
        plus("grokfast-ma", "arXiv 2405.20233, window 10", GRADIENT, before=[GrokfastMA(lamb=1.0, window=10)],
             lamb=(0.1, 10.0)),
        plus("grokfast-control", "the larger step that Grokfast is at rest", GRADIENT,
             after=[GrokfastControl(lamb=1.0)], lamb=(0.1, 5.0)),
        instead("grokadamw", "repository cognitivecomputations/grokadamw", GRADIENT, (
            grokadamw, {"lr": (low, high), "wd": base.wd, "alpha": (0.5, 0.99), "lamb": (0.1, 5.0)},
        )),
        plus("perpgrad", "arXiv 2501.04697", GRADIENT, before=[PerpGrad()]),
        plus("perpgrad+stablemax", "arXiv 2501.04697", GRADIENT, before=[PerpGrad(), StableMax()]),
        plus("gradnorm", "arXiv 2504.17243, its ablation", GRADIENT, before=[GradNorm()]),
        plus("neuralgrok", "arXiv 2504.17243, as published", GRADIENT, before=[NeuralGrok(hidden=(32,))],
             meta_lr=(1e-5, 1e-2), inner_lr=(1e-3, 0.3)),
        plus("pcgrad", "arXiv 2001.06782, between task and radial penalty", GRADIENT, before=[PCGrad()],
             after=[radial], strength=(0.005, 1.0), target=(0.2, 1.5)),
        plus("sam", "arXiv 2010.01412", GRADIENT, before=[SAM()], rho=(0.003, 0.5)),
        plus("radial", "arXiv 2606.32000", LOSS, alone="adamw", after=[radial],
             strength=(0.005, 1.0), target=(0.2, 1.5)),
        plus("man", "arXiv 2512.08314", LOSS, after=[MAN(zeta=0.1)], zeta=(0.005, 1.0)),
        plus("ar", "arXiv 1708.01009", LOSS, after=[AR(alpha=0.05)], alpha=(1e-3, 1.0)),
        plus("self-modelling", "arXiv 2407.10188", LOSS, after=[SelfModelling(alpha=0.1)], alpha=(1e-3, 10.0)),
        plus("l1", "arXiv 2506.05718", WEIGHTS, after=[L1(beta=1e-5)], beta=(1e-6, 1e-3)),
        plus("nuclear", "arXiv 2506.05718", WEIGHTS, after=[Nuclear(beta=1e-4)], beta=(1e-5, 1e-2)),
        plus("clip-rows+adamw", "repository NiftyliuS/cliptogrok", WEIGHTS, after=[base.clip], c=(0.3, 5.0)),
        instead("clip-rows+lion", "repository NiftyliuS/cliptogrok", WEIGHTS,
                (dataclasses.replace(lion, wd=0.0), {"lr": lion_lr, "beta2": (0.9, 0.995)}),
                (base.clip, {"c": (0.3, 5.0)})),
        plus("norm-clamp", "arXiv 2606.18465, to a multiple of the initial norm", WEIGHTS,
             after=[NormClamp(rho=0.6)], rho=(0.15, 2.0)),
        plus("spectral-norm", "arXiv 1802.05957, capped", ACTIVATIONS, after=[SpectralNorm(c=3.0, mode="cap")],
             c=(0.5, 20.0)),
        plus("weight-norm", "arXiv 1602.07868", ACTIVATIONS, after=[WeightNorm()]),
        plus("dropout", "JMLR 15 (2014) 1929", ACTIVATIONS, after=[Dropout(rate=0.05)], rate=(0.005, 0.5)),
        plus("layer-norm", "arXiv 1607.06450, affine", ACTIVATIONS, after=[LayerNorm(affine=True)]),
        plus("layer-norm-plain", "arXiv 1607.06450, without gains", ACTIVATIONS, after=[LayerNorm(affine=False)]),
        plus("rms-norm", "arXiv 1910.07467, affine", ACTIVATIONS, after=[RMSNorm(affine=True)]),
        plus("project-tangential", "hard projection, true gradient", ACTIVATIONS, after=[ProjectTangential()],
             target=(0.1, 5.0)),
        plus("project-ste", "hard projection, straight-through", ACTIVATIONS, after=[ProjectSTE()], target=(0.1, 5.0)),
        plus("sphere-cosine", "arXiv 2603.05228", ACTIVATIONS, after=[SphereCosine(temperature=10.0)],
             temperature=(3.0, 100.0)),
        plus("temperature", "arXiv 2606.18465, logits over tau", HEAD, after=[Temperature(tau=1.0)], tau=(0.1, 10.0)),
        plus("logit-norm", "squared logits in the loss", HEAD, after=[LogitNorm(beta=1e-3)], beta=(1e-5, 0.1)),
        plus("label-smoothing", "arXiv 1512.00567", HEAD, after=[LabelSmoothing(smoothing=0.05)],
             smoothing=(0.003, 0.5)),
        plus("z-loss", "arXiv 2204.02311", HEAD, after=[ZLoss(strength=1e-3)], strength=(1e-5, 0.1)),
        plus("stablemax", "arXiv 2501.04697", HEAD, before=[StableMax()]),
        plus("softmax64", "arXiv 2501.04697, loss in float64", HEAD, before=[Softmax64()]),
        plus("harmonic", "arXiv 2502.01628", HEAD, before=[Harmonic(exponent=14)]),
        plus("groktransfer", "arXiv 2504.13292", START, before=[GrokTransfer()],
             unranked="closed: starts from a trained embedding", scale=(0.05, 1.0)),
    ]  # fmt: skip

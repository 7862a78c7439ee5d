"""The one list of everything that has a name, for those who come with names: the command line and TOML files.

To add a task, a model or a method, write its file and add its line here; the laws in ``tests/laws`` then examine it.
"""

from __future__ import annotations

from typing import Any

from anglewise.lab.methods.ba2016_norms import LayerNorm, RMSNorm
from anglewise.lab.methods.baek2025_harmonic import Harmonic
from anglewise.lab.methods.cesista2025_constrained_muon import ConstrainedMuon
from anglewise.lab.methods.chen2023_lion import Lion, SignSGD
from anglewise.lab.methods.cliptogrok2026_rows import ClipRows
from anglewise.lab.methods.controls import RadiusClamp, RadiusReplay, ScaleInit
from anglewise.lab.methods.foret2021_sam import SAM
from anglewise.lab.methods.grokadamw import GrokAdamW
from anglewise.lab.methods.jordan2024_muon import Muon
from anglewise.lab.methods.lee2024_grokfast import GrokfastControl, GrokfastEMA, GrokfastMA
from anglewise.lab.methods.logits import LabelSmoothing, LogitNorm, Temperature, ZLoss
from anglewise.lab.methods.loshchilov2024_ngpt import NGPT
from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.matched_controls import MatchedNoise
from anglewise.lab.methods.merity2017_ar import AR, TAR
from anglewise.lab.methods.miyato2018_spectral_norm import SpectralNorm
from anglewise.lab.methods.norm_clamp import NormClamp, NormReplay
from anglewise.lab.methods.notsawo2025_sparsity import L1, Nuclear
from anglewise.lab.methods.optimizers import SGD, Adam, AdamW
from anglewise.lab.methods.pasand2025_egd import EGD
from anglewise.lab.methods.penalty_controls import ShuffledPenalty, StopGradientPenalty
from anglewise.lab.methods.premakumar2024_self_modelling import SelfModelling
from anglewise.lab.methods.prieto2025_orthograd import PerpGrad
from anglewise.lab.methods.prieto2025_stablemax import Softmax64, StableMax
from anglewise.lab.methods.projection import ProjectSTE, ProjectTangential
from anglewise.lab.methods.salimans2016_weight_norm import WeightNorm
from anglewise.lab.methods.srivastava2014_dropout import Dropout
from anglewise.lab.methods.teoh2025_nextlat import NextLatent
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.methods.xu2025_groktransfer import GrokTransfer
from anglewise.lab.methods.yildirim2026_sphere import SphereCosine
from anglewise.lab.methods.yu2020_pcgrad import PCGrad
from anglewise.lab.methods.zhou2025_neuralgrok import GradNorm, NeuralGrok
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.protocols import schedule as schedules
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity
from anglewise.lab.tasks.permutation import Permutations
from anglewise.lab.tasks.random_labels import RandomLabels

TASKS: dict[str, Any] = {
    "modular": Modular,
    "parity": Parity,
    "random-labels": RandomLabels,
    "permutations": Permutations,
}
MODELS: dict[str, Any] = {"mlp": MLP, "transformer": Transformer}
METHODS: dict[str, Any] = {
    "adamw": AdamW,
    "adam": Adam,
    "sgd": SGD,
    "radial": RadialPenalty,
    "man": MAN,
    "scale-init": ScaleInit,
    "grokfast-ema": GrokfastEMA,
    "grokfast-ma": GrokfastMA,
    "grokfast-control": GrokfastControl,
    "grokadamw": GrokAdamW,
    "perpgrad": PerpGrad,
    "gradnorm": GradNorm,
    "neuralgrok": NeuralGrok,
    "pcgrad": PCGrad,
    "sam": SAM,
    "radius-clamp": RadiusClamp,
    "radius-replay": RadiusReplay,
    "matched-noise": MatchedNoise,
    "shuffled-penalty": ShuffledPenalty,
    "stop-gradient-penalty": StopGradientPenalty,
    "lion": Lion,
    "signsgd": SignSGD,
    "muon": Muon,
    "constrained-muon": ConstrainedMuon,
    "egd": EGD,
    "clip-rows": ClipRows,
    "norm-clamp": NormClamp,
    "norm-replay": NormReplay,
    "spectral-norm": SpectralNorm,
    "weight-norm": WeightNorm,
    "l1": L1,
    "nuclear": Nuclear,
    "dropout": Dropout,
    "ar": AR,
    "tar": TAR,
    "project-tangential": ProjectTangential,
    "project-ste": ProjectSTE,
    "layer-norm": LayerNorm,
    "rms-norm": RMSNorm,
    "sphere-cosine": SphereCosine,
    "ngpt": NGPT,
    "temperature": Temperature,
    "logit-norm": LogitNorm,
    "label-smoothing": LabelSmoothing,
    "z-loss": ZLoss,
    "stablemax": StableMax,
    "softmax64": Softmax64,
    "harmonic": Harmonic,
    "self-modelling": SelfModelling,
    "next-latent": NextLatent,
    "groktransfer": GrokTransfer,
}
SCHEDULES: dict[str, Any] = {
    "warmup": schedules.Warmup,
    "linear": schedules.Linear,
    "cosine": schedules.Cosine,
    "until": schedules.Until,
    "recorded": schedules.Recorded,
}

"""The one list of everything that has a name, for those who come with names: the command line and TOML files.

To add a task, a model or a method, write its file and add its line here; the laws in ``tests/laws`` then examine it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anglewise.lab.methods.ba2016_norms import LayerNorm as LayerNorm
from anglewise.lab.methods.ba2016_norms import RMSNorm as RMSNorm
from anglewise.lab.methods.baek2025_harmonic import Harmonic as Harmonic
from anglewise.lab.methods.cesista2025_constrained_muon import ConstrainedMuon as ConstrainedMuon
from anglewise.lab.methods.chen2023_lion import Lion as Lion
from anglewise.lab.methods.chen2023_lion import SignSGD as SignSGD
from anglewise.lab.methods.cliptogrok2026_rows import ClipRows as ClipRows
from anglewise.lab.methods.controls import RadiusClamp as RadiusClamp
from anglewise.lab.methods.controls import RadiusReplay as RadiusReplay
from anglewise.lab.methods.controls import ScaleInit as ScaleInit
from anglewise.lab.methods.foret2021_sam import SAM as SAM
from anglewise.lab.methods.grokadamw import GrokAdamW as GrokAdamW
from anglewise.lab.methods.jordan2024_muon import Muon as Muon
from anglewise.lab.methods.lee2024_grokfast import GrokfastControl as GrokfastControl
from anglewise.lab.methods.lee2024_grokfast import GrokfastEMA as GrokfastEMA
from anglewise.lab.methods.lee2024_grokfast import GrokfastMA as GrokfastMA
from anglewise.lab.methods.logits import LabelSmoothing as LabelSmoothing
from anglewise.lab.methods.logits import LogitNorm as LogitNorm
from anglewise.lab.methods.logits import Temperature as Temperature
from anglewise.lab.methods.logits import ZLoss as ZLoss
from anglewise.lab.methods.loshchilov2024_ngpt import NGPT as NGPT
from anglewise.lab.methods.man2025 import MAN as MAN
from anglewise.lab.methods.matched_controls import MatchedNoise as MatchedNoise
from anglewise.lab.methods.merity2017_ar import AR as AR
from anglewise.lab.methods.merity2017_ar import TAR as TAR
from anglewise.lab.methods.miyato2018_spectral_norm import SpectralNorm as SpectralNorm
from anglewise.lab.methods.norm_clamp import NormClamp as NormClamp
from anglewise.lab.methods.norm_clamp import NormReplay as NormReplay
from anglewise.lab.methods.notsawo2025_sparsity import L1 as L1
from anglewise.lab.methods.notsawo2025_sparsity import Nuclear as Nuclear
from anglewise.lab.methods.optimizers import SGD as SGD
from anglewise.lab.methods.optimizers import Adam as Adam
from anglewise.lab.methods.optimizers import AdamW as AdamW
from anglewise.lab.methods.pasand2025_egd import EGD as EGD
from anglewise.lab.methods.pascanu2013_clip import ClipGradient as ClipGradient
from anglewise.lab.methods.penalty_controls import ShuffledPenalty as ShuffledPenalty
from anglewise.lab.methods.penalty_controls import StopGradientPenalty as StopGradientPenalty
from anglewise.lab.methods.premakumar2024_self_modelling import SelfModelling as SelfModelling
from anglewise.lab.methods.prieto2025_orthograd import PerpGrad as PerpGrad
from anglewise.lab.methods.prieto2025_stablemax import Softmax64 as Softmax64
from anglewise.lab.methods.prieto2025_stablemax import StableMax as StableMax
from anglewise.lab.methods.projection import ProjectSTE as ProjectSTE
from anglewise.lab.methods.projection import ProjectTangential as ProjectTangential
from anglewise.lab.methods.radius_init import RadiusInit as RadiusInit
from anglewise.lab.methods.salimans2016_weight_norm import WeightNorm as WeightNorm
from anglewise.lab.methods.srivastava2014_dropout import Dropout as Dropout
from anglewise.lab.methods.teoh2025_nextlat import NextLatent as NextLatent
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty as RadialPenalty
from anglewise.lab.methods.xu2025_groktransfer import GrokTransfer as GrokTransfer
from anglewise.lab.methods.yildirim2026_sphere import SphereCosine as SphereCosine
from anglewise.lab.methods.yu2020_pcgrad import PCGrad as PCGrad
from anglewise.lab.methods.zhou2025_neuralgrok import GradNorm as GradNorm
from anglewise.lab.methods.zhou2025_neuralgrok import NeuralGrok as NeuralGrok
from anglewise.lab.models.gpt import GPT as GPT
from anglewise.lab.models.mlp import MLP as MLP
from anglewise.lab.models.transformer import Transformer as Transformer
from anglewise.lab.protocols.schedule import Cosine as Cosine
from anglewise.lab.protocols.schedule import Linear as Linear
from anglewise.lab.protocols.schedule import Recorded as Recorded
from anglewise.lab.protocols.schedule import Until as Until
from anglewise.lab.protocols.schedule import Warmup as Warmup
from anglewise.lab.protocols.schedule import WarmupCosine as WarmupCosine
from anglewise.lab.tasks.addition import Addition as Addition
from anglewise.lab.tasks.modular import Modular as Modular
from anglewise.lab.tasks.parity import Parity as Parity
from anglewise.lab.tasks.permutation import Permutations as Permutations
from anglewise.lab.tasks.random_labels import RandomLabels as RandomLabels
from anglewise.lab.tasks.text import Text as Text

if TYPE_CHECKING:
    from anglewise.lab.protocols.method import Method
    from anglewise.lab.protocols.model import Model
    from anglewise.lab.protocols.schedule import Schedule
    from anglewise.lab.protocols.task import Task

TASKS: dict[str, type[Task]] = {
    "modular": Modular,
    "parity": Parity,
    "random-labels": RandomLabels,
    "permutations": Permutations,
    "addition": Addition,
    "text": Text,
}
MODELS: dict[str, type[Model]] = {"mlp": MLP, "transformer": Transformer, "gpt": GPT}
METHODS: dict[str, type[Method]] = {
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
    "radius-init": RadiusInit,
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
    "clip": ClipGradient,
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
SCHEDULES: dict[str, type[Schedule]] = {
    "warmup": Warmup,
    "warmup-cosine": WarmupCosine,
    "linear": Linear,
    "cosine": Cosine,
    "until": Until,
    "recorded": Recorded,
}

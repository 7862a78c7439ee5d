"""Settings that others published, each written once.

A setting is an arm's methods with all numbers that the source states.  What a source leaves open is said where the
setting is reproduced (``reproduce.py``) or in the method's own file.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from anglewise.lab.methods import chen2023_lion, cliptogrok2026_rows, jordan2024_muon, lee2024_grokfast
from anglewise.lab.methods.cesista2025_constrained_muon import ConstrainedMuon
from anglewise.lab.methods.optimizers import SGD, Adam, AdamW
from anglewise.lab.methods.pasand2025_egd import COLUMN, EGD
from anglewise.lab.methods.prieto2025_orthograd import RELEASED as PERPGRAD
from anglewise.lab.methods.prieto2025_stablemax import StableMax
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.methods.yildirim2026_sphere import SphereCosine
from anglewise.lab.protocols.schedule import Linear, Warmup


class Published(NamedTuple):
    """An arm's methods, in their order, and where they are published."""

    methods: tuple[Any, ...]
    source: str


EIFY = "repository EIFY/grokking-at-the-edge-of-numerical-stability"
_RELEASED_WARMUP = Warmup(1e-3, 10.0, offset=0.0)
"""Of Grokfast's, Nanda's and Power's released code: min(step / 10, 1), so that the first update has rate 0."""

CHOU_C1 = Published((AdamW(lr=0.05, wd=4.0, beta1=0.9, beta2=0.99, eps=1e-25),), EIFY)
"""Two hidden layers on 2-hot inputs: the fastest of their grid (143 steps to 100 %)."""
CHOU_C2 = Published((AdamW(lr=0.05, wd=2.0, beta1=0.9, beta2=0.99, eps=1e-25),), EIFY)
"""Two hidden layers on embeddings: the fastest of their grid (111 steps to 100 %)."""


def constrained(gain_embedding: float, gain_hidden: float, gain_head: float, vectors: Any = "msign") -> ConstrainedMuon:
    """Constrained Muon as it starts into the search; its rates fall to a fifth over 45.6 steps."""
    return ConstrainedMuon(
        lr_embedding=0.5, lr_first=0.5, lr_hidden=0.6, lr_head=0.8, rate=Linear(1.0, 0.2, 45.6), momentum=0.4,
        lookahead=0.06, gain_embedding=gain_embedding, gain_hidden=gain_hidden, gain_head=gain_head, vectors=vectors,
    )  # fmt: skip


PERPGRAD_ADAMW = Published((PERPGRAD, AdamW(lr=0.01)), "arXiv 2501.04697, lr .01")
PERPGRAD_SGD = Published((PERPGRAD, StableMax(), SGD(lr=10.0, momentum=0.8)), "arXiv 2501.04697")

GROKFAST_BASELINE = Published((Adam(lr=_RELEASED_WARMUP, beta1=0.9, beta2=0.98),), "repository ironjr/grokfast")
"""Their plain run, without weight decay; their filtered runs have some."""
_FILTERED = dataclasses.replace(GROKFAST_BASELINE.methods[0], wd=0.005)
GROKFAST_EMA = Published((lee2024_grokfast.PUBLISHED, _FILTERED), "arXiv 2405.20233")
GROKFAST_MA = Published((lee2024_grokfast.PUBLISHED_MA, dataclasses.replace(_FILTERED, wd=0.01)), "arXiv 2405.20233")
_LION = dataclasses.replace(chen2023_lion.CLIP_TO_GROK, lr=Warmup(chen2023_lion.CLIP_TO_GROK.lr, 10.0))  # type: ignore[arg-type]
LION_CLIPPED = Published((_LION, cliptogrok2026_rows.RELEASED), "repository NiftyliuS/cliptogrok")

NANDA = Published((AdamW(lr=_RELEASED_WARMUP, wd=1.0, beta1=0.9, beta2=0.98),), "arXiv 2301.05217")
POWER = Published((AdamW(lr=_RELEASED_WARMUP, wd=1.0, beta1=0.9, beta2=0.98),), "arXiv 2201.02177, openai/grok")
SPHERE_COSINE = Published((SphereCosine(temperature=10.0), AdamW(lr=6e-4)), "arXiv 2603.05228")
MUON = Published((jordan2024_muon.JANATI,), "arXiv 2608.07436")
EGD_SVD = Published((EGD(), SGD(lr=0.1, wd=1e-4)), "arXiv 2510.04930")
EGD_COLUMN = Published((COLUMN, SGD(lr=0.1, wd=1e-4)), "arXiv 2510.04930")
CONSTRAINED_MUON = Published((constrained(1.0, 1.4, 51.0, "normalise"),), "Cesista 2025")

RADIAL_PENALTY = Published((RadialPenalty(strength=0.05, target=1.0),), "arXiv 2606.32000, section 3.1")
"""The penalty alone, as the paper has it on an MLP; it stands behind somebody's optimiser."""
RADIAL_WEAK = Published((AdamW(lr=1e-3, wd=1e-3),), "arXiv 2606.32000, lr 1e-3 wd 1e-3")
RADIAL_STRONG = Published((AdamW(lr=1e-3, wd=0.1),), "arXiv 2606.32000, its baseline with strong decay")
RADIAL_PAPER = Published((*RADIAL_WEAK.methods, *RADIAL_PENALTY.methods), RADIAL_WEAK.source)

PSI = "repository AgentTorch/psi"
PSI_HALF = Published((AdamW(lr=1e-3, wd=0.5),), PSI)
"""The radial paper's MLP with plain weight decay, as somebody else ran it; by the decay."""
PSI_ONE = Published((AdamW(lr=1e-3, wd=1.0),), PSI)
PSI_TWO = Published((AdamW(lr=1e-3, wd=2.0),), PSI)
PSI_FIVE = Published((AdamW(lr=1e-3, wd=5.0),), PSI)

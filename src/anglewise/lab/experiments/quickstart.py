"""The quickstart: does the radial penalty help AdamW, and how much of that is left once AdamW is tuned?

Track C2's task at full size, with ReLU where the track has GELU: a + b mod 113, 40 % of the table, full batch, a
two-layer MLP without biases on two learned embeddings, one table per operand.  The common setting is a published one
(learning rate 0.05, weight decay 2); the tuned one also has a smaller initialisation and a short warm-up.
"""

from __future__ import annotations

from anglewise.lab.experiments.published import CHOU_C2, RADIAL_PENALTY
from anglewise.lab.methods.controls import ScaleInit
from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.protocols.schedule import Warmup
from anglewise.lab.spec import Arm, Contrast, Experiment, Training
from anglewise.lab.tasks.modular import Modular

COMMON = CHOU_C2.methods
TUNED = (
    ScaleInit(embedding=0.5, head=0.92),
    AdamW(lr=Warmup(0.0547, 3.0), wd=2.0, beta1=0.9, beta2=0.99, eps=1e-25),
)
TASK = Modular(p=113, operation="+", train=0.4)
MODEL = MLP(hidden=(200, 200), embedding=113, shared=False)

EXPERIMENT = Experiment(
    name="quickstart",
    title="Does the radial penalty speed up AdamW on modular addition, untuned and tuned?",
    task=TASK,
    model=MODEL,
    arms=(
        Arm("adamw-common", COMMON, "AdamW, usual settings"),
        Arm("adamw-common+radial", (*COMMON, *RADIAL_PENALTY.methods), "AdamW, usual settings + radial penalty"),
        Arm("adamw-tuned", TUNED, "AdamW, tuned"),
        Arm("adamw-tuned+radial", (*TUNED, RadialPenalty(strength=0.1, target=0.5)), "AdamW, tuned + radial penalty"),
        Arm("adamw-tuned+man", (*TUNED, MAN(zeta=0.15)), "AdamW, tuned + MAN"),
    ),
    contrasts=(
        Contrast("adamw-common+radial", "adamw-common", "Does the penalty help AdamW at its usual settings?"),
        Contrast("adamw-tuned", "adamw-common", "Does tuning AdamW help, without the penalty?"),
        Contrast("adamw-tuned+radial", "adamw-tuned", "Does the penalty still help once AdamW is tuned?"),
        Contrast("adamw-tuned+man", "adamw-tuned", "Does MAN help once AdamW is tuned?"),
    ),
    baseline="adamw-common",
    seeds=8,
    training=Training(budget=200, every=4, threshold=0.95, sustain=5, further=8, measure_every=24),
)

"""A GPT that learns 3-digit addition, without and with the penalty: at desk scale and at the paper's.

The desk's GPT has 0.2 million weights and learns 10,000 sums in minutes.  Its first weights have sigma .05, that is
nanoGPT's .02 at width 384, scaled by the root of the widths.  With .02 at width 64, runs stand at 10 % exact answers
for a thousand steps and more, because the answer's second digit is at chance.
"""

from __future__ import annotations

from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.pascanu2013_clip import ClipGradient
from anglewise.lab.methods.srivastava2014_dropout import Dropout
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.gpt import GPT
from anglewise.lab.protocols.schedule import WarmupCosine
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.tasks.addition import Addition

DESK = (
    ClipGradient(1.0),
    AdamW(lr=WarmupCosine(5e-4, 3000.0), wd=0.1, beta2=0.99, decay="matrices"),
)
SMALL = Experiment(
    name="addition-small",
    title="3-digit addition by a GPT of 0.2 million weights: does the penalty make it learn sooner?",
    task=Addition(),
    model=GPT(layers=4, width=64, heads=4, sigma=0.05),
    arms=(
        Arm("adamw", DESK),
        Arm("adamw+radial .01", (*DESK, RadialPenalty(strength=0.01))),
        Arm("adamw+radial .05", (*DESK, RadialPenalty(strength=0.05))),
    ),
    seeds=4,
    training=Training(budget=3000, every=50, batch=128, order="replacement", threshold=0.99, sustain=3, further=100),
)

FULL = GPT(layers=6, width=384, heads=6)
DROPPED = ("embedded", *(f"block.{k}.attention.weights" for k in range(FULL.layers)), *FULL.sites)
"""Where nanoGPT drops."""
PAPER = (
    ClipGradient(1.0),
    Dropout(0.2, DROPPED),
    AdamW(lr=WarmupCosine(1e-3, 5000.0), wd=0.1, beta2=0.99, decay="matrices"),
)
LARGE = Experiment(
    name="addition-gpt",
    title="3-digit addition by a GPT of 10.6 million weights (for an accelerator)",
    task=Addition(test=10_000, loss_on_all=True),
    model=FULL,
    arms=(
        Arm("adamw", PAPER),
        Arm("adamw+radial .01", (*PAPER, RadialPenalty(strength=0.01))),
        Arm("adamw+radial .05", (*PAPER, RadialPenalty(strength=0.05))),
    ),
    seeds=3,
    training=Training(budget=5000, every=50, batch=256, order="replacement", threshold=0.99, sustain=3, further=500),
)

EXPERIMENTS = (SMALL, LARGE)

"""The plateau: a small network that fits its training sums at once and learns the rule much later, in seconds.

Task, model and settings are those of the early-warning study on a + b (`early_warning.py`).  There the penalty was
faster, so this experiment is an illustration with new seeds, and no test of a claim.  Weight decay is 1: without decay
the network does not learn the rule within this budget.
"""

from __future__ import annotations

from anglewise.lab.experiments.early_warning import MODEL, RADIAL_AT_HALF, TASKS
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.spec import Arm, Experiment, Training

PLAIN = AdamW(lr=3e-3, wd=1.0, beta1=0.9, beta2=0.98)

EXPERIMENT = Experiment(
    name="plateau",
    title="How long does the plateau last between fitting the training sums and learning a + b mod 37?",
    task=TASKS["add"],
    model=MODEL,
    arms=(
        Arm("adamw", (PLAIN,), "AdamW"),
        Arm("adamw+radial", (PLAIN, RADIAL_AT_HALF), "AdamW + radial penalty"),
    ),
    seeds=6,
    first_seed=100,
    training=Training(budget=4000, every=20, further=100, measure_every=40),
)

"""The runs of the early-warning study: five tasks and random labels, five arms, one model, one budget.

Each experiment has one task.  All have the same arms, so that tasks, seeds and arms can each be held out.

A network that does not know the order of tokens sees a - b and a * b as a + b with renamed tokens (a * b on p - 1 of
them).  So both operands share one embedding, under which a - b is not symmetric.  The tasks also differ in p and in the
share of training pairs, and so in their time scale.  Another circuit learns sums of squares.  Two tasks are negative
controls: x^2 + xy + y^2 is memorised but not learned within this budget; random labels, read as a sum, cannot be.
"""

from __future__ import annotations

from typing import Any

from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.spec import Arm, Experiment, Training
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.random_labels import RandomLabels

MODEL = MLP(hidden=(96, 96), embedding=48)
RADIAL_AT_HALF = RadialPenalty(strength=0.05, target=0.5)
TASKS: dict[str, Any] = {
    "add": Modular(p=37, operation="+", train=0.6),
    "sub": Modular(p=41, operation="-", train=0.55),
    "mul": Modular(p=43, operation="*", train=0.5),
    "squares": Modular(p=41, operation="x^2+y^2", train=0.6),
    "mixed": Modular(p=37, operation="x^2+xy+y^2", train=0.6),
    "random": RandomLabels(p=37, train=0.6, read_as="+"),
}


def _adamw(lr: float, wd: float) -> AdamW:
    return AdamW(lr=lr, wd=wd, beta1=0.9, beta2=0.98)


ARMS = (
    Arm("quick", (_adamw(1e-2, 1.0),)),
    Arm("medium", (_adamw(3e-3, 1.0),)),
    Arm("slow", (_adamw(3e-3, 0.5),)),
    Arm("medium+radial", (_adamw(3e-3, 1.0), RADIAL_AT_HALF)),
    Arm("slow+radial", (_adamw(3e-3, 0.3), RADIAL_AT_HALF)),
)

EXPERIMENTS = tuple(
    Experiment(
        name=f"early-warning-{name}",
        title=f"Early warning, its runs on {name}: who will generalise, and when?",
        task=task,
        model=MODEL,
        arms=ARMS,
        seeds=8,
        training=Training(budget=2500, every=20, further=0, measure_every=40),
    )
    for name, task in TASKS.items()
)

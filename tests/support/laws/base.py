"""What every law case is made of: a task, a model and an optimiser small enough to be examined often."""

from __future__ import annotations

from typing import NamedTuple

from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular

TASK = Modular(p=11, train=0.5)
MODEL = MLP(hidden=(16, 16), embedding=8)
SEQUENCES = Modular(p=11, train=0.5, form="a b =")
TRANSFORMER = Transformer(layers=1, width=8, heads=2, mlp=16, positions="all", attention_bias=False)
"""Without biases in attention: the gradient of a key's bias is rounding alone, which Adam enlarges to whole steps."""
BASE = AdamW(lr=0.02, wd=0.5, beta2=0.99)


class Case(NamedTuple):
    """One method, in a chain.

    `off` is the same chain in which the method does nothing and `without` the chain that lacks it; where `still`, the
    chain `off` moves no weight at all.
    """

    name: str
    chain: tuple
    off: tuple | None = None
    without: tuple | None = None
    still: bool = False
    task: Modular = TASK
    model: MLP | Transformer = MODEL

    @property
    def block(self) -> int:
        """Rows whose gradient a batched program takes at once: 20 of 60, all where the method needs them together."""
        return 0 if any("whole-batch" in method.needs for method in self.chain) else 20

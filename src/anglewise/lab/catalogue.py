"""The one list of everything that has a name, for those who come with names: the command line and TOML files.

To add a task, a model or a method, write its file and add its line here; the laws in ``tests/laws`` then examine it.
"""

from __future__ import annotations

from typing import Any

from anglewise.lab import schedules
from anglewise.lab.methods.controls import ScaleInit
from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.optimizers import SGD, Adam, AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.models.transformer import Transformer
from anglewise.lab.tasks.modular import Modular
from anglewise.lab.tasks.parity import Parity
from anglewise.lab.tasks.random_labels import RandomLabels

TASKS: dict[str, Any] = {"modular": Modular, "parity": Parity, "random-labels": RandomLabels}
MODELS: dict[str, Any] = {"mlp": MLP, "transformer": Transformer}
METHODS: dict[str, Any] = {
    "adamw": AdamW,
    "adam": Adam,
    "sgd": SGD,
    "radial": RadialPenalty,
    "man": MAN,
    "scale-init": ScaleInit,
}
SCHEDULES: dict[str, Any] = {
    "warmup": schedules.Warmup,
    "linear": schedules.Linear,
    "cosine": schedules.Cosine,
    "until": schedules.Until,
}

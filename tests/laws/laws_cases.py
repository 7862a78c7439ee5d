"""Every method of the catalogue, in a small arm that can train, with strengths that matter."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from anglewise.lab.catalogue import METHODS
from anglewise.lab.methods.controls import ScaleInit
from anglewise.lab.methods.man2025 import MAN
from anglewise.lab.methods.optimizers import SGD, Adam, AdamW
from anglewise.lab.methods.tiwari2026_radial import RadialPenalty
from anglewise.lab.models.mlp import MLP
from anglewise.lab.schedules import Linear, Warmup
from anglewise.lab.tasks.modular import Modular

TASK = Modular(p=11, train=0.5)
MODEL = MLP(hidden=(16, 16), embedding=8)
BASE = AdamW(lr=0.02, wd=0.5, beta2=0.99)


class Case(NamedTuple):
    """One method, in a chain; `off` is the same chain in which the method does nothing, `without` lacks it."""

    name: str
    chain: tuple
    off: tuple | None = None
    without: tuple | None = None


CASES = [
    Case("adamw", (BASE,), (AdamW(lr=0.0, wd=0.5),)),
    Case("adam", (Adam(lr=0.02, wd=0.01),), (Adam(lr=0.0, wd=0.01),)),
    Case("sgd", (SGD(lr=0.1, wd=0.01, momentum=0.9),), (SGD(lr=0.0),)),
    Case("radial", (BASE, RadialPenalty(0.3, 0.7)), (BASE, RadialPenalty(0.0, 0.7)), (BASE,)),
    Case("man", (BASE, MAN(0.4)), (BASE, MAN(0.0)), (BASE,)),
    Case("scale-init", (ScaleInit(0.5, 0.8), BASE), (ScaleInit(1.0, 1.0), BASE), (BASE,)),
    Case(
        "adamw",
        (AdamW(lr=Warmup(0.02, 4.0), wd=Linear(1.0, 0.0, 8.0)), RadialPenalty(Linear(0.5, 0.1, 6.0), 0.5)),
    ),
    Case("radial", (BASE, RadialPenalty(0.3, 0.7, over="mean", side="outer")), None),
    Case("radial", (BASE, RadialPenalty(0.3, 0.7, sites=("hidden.1.post",), side="inner")), None),
]
IDS = [f"{case.name}-{i}" for i, case in enumerate(CASES)]


def examined() -> set[str]:
    """Names in the catalogue that some case examines."""
    classes = {type(method) for case in CASES for method in case.chain}
    return {name for name, cls in METHODS.items() if cls in classes}


def float_fields(method) -> list[str]:
    """Fields of a method that may be arrays and are plain numbers here."""
    return [f.name for f in dataclasses.fields(method) if isinstance(getattr(method, f.name), float)]

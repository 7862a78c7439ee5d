"""Every method of the catalogue, in a small arm that can train, with strengths that matter.

The cases stand in the files of this folder, one per kind of method.
"""

from __future__ import annotations

import dataclasses

from anglewise.lab.catalogue import METHODS
from tests.support.laws.activations import CASES as ACTIVATIONS
from tests.support.laws.base import BASE, MODEL, TASK, Case
from tests.support.laws.controls import CASES as CONTROLS
from tests.support.laws.filters import CASES as FILTERS
from tests.support.laws.optimizers import CASES as OPTIMIZERS
from tests.support.laws.weights import CASES as WEIGHTS

__all__ = ["BASE", "CASES", "IDS", "MODEL", "TASK", "Case", "examined", "float_fields"]

CASES = [*OPTIMIZERS, *FILTERS, *WEIGHTS, *ACTIVATIONS, *CONTROLS]
IDS = [f"{case.name}-{i}" for i, case in enumerate(CASES)]


def examined() -> set[str]:
    """Names in the catalogue that some case examines."""
    classes = {type(method) for case in CASES for method in case.chain}
    return {name for name, cls in METHODS.items() if cls in classes}


def float_fields(method) -> list[str]:
    """Fields of a method that may be arrays and are plain numbers here."""
    return [f.name for f in dataclasses.fields(method) if isinstance(getattr(method, f.name), float)]

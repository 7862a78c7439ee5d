"""Law cases: controls."""

from __future__ import annotations

from anglewise.lab.methods.controls import ScaleInit
from laws_base import BASE, Case

CASES = [
    Case("scale-init", (ScaleInit(0.5, 0.8), BASE), (ScaleInit(1.0, 1.0), BASE), (BASE,)),
]

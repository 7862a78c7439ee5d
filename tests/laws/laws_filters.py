"""Law cases: what acts on the gradient before the optimiser."""

from __future__ import annotations

from laws_base import Case

CASES: list[Case] = []

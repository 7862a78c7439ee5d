"""Law cases: what acts on the weights."""

from __future__ import annotations

from laws_base import Case

CASES: list[Case] = []

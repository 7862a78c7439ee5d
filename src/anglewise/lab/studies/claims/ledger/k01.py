"""K01: a control. No difference must be found where there is none."""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Halves

CLAIM = Claim(
    id="K01",
    title="Nothing is found where nothing differs",
    statement="Strength 0 on some seeds against strength 0 on other seeds: the interval of the ratio holds 1.",
    source="control of the machinery",
    paper="",
    question="Does the machinery find a difference where there is none?",
    estimand="Ratio of steps to generalise of one arm on two sets of ten seeds, as if they were two arms.",
    refuted_by="The interval does not hold 1.",
    systems=("fast",),
    rule=Halves("AdamW + penalty 0"),
    seeds=20,
    scales=("desk",),
    note="A 95 % interval misses 1 in one of twenty such controls.",
)

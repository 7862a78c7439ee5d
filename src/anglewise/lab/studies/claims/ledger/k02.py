"""K02: a control. Random labels cannot be learned."""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import Generalises

CLAIM = Claim(
    id="K02",
    title="The penalty does not help to guess",
    statement="On labels that mean nothing, the penalty makes a run generalise.",
    source="control of the machinery: known to be false",
    paper="",
    question="Does the machinery refute that random labels can be learned?",
    estimand="Share of runs that generalise.",
    refuted_by="The interval of the share lies below .9.",
    systems=("random labels",),
    rule=Generalises("decay 1 + penalty", 0.9),
)

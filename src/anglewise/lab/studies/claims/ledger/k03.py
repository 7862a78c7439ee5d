"""K03: a control. A claim that is known to be false must be refuted."""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import Sooner

CLAIM = Claim(
    id="K03",
    title="Known to be false: weak decay is faster",
    statement="Weight decay .001 generalises sooner than weight decay 1.",
    source="control of the machinery: known to be false",
    paper="",
    question="Does the machinery refute what is false?",
    estimand="Ratio of epochs to generalise, decay 1 over decay .001.",
    refuted_by="The interval of the ratio lies below 1.",
    systems=("mlp",),
    rule=Sooner("decay .001", "decay 1", claimed=1.0),
)

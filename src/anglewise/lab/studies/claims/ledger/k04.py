"""K04: a control. A claim that is known to be true must be supported."""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import Sooner

CLAIM = Claim(
    id="K04",
    title="Known to be true: more decay is faster",
    statement="Weight decay 1 generalises at least 1.5 times sooner than weight decay .1.",
    source="control of the machinery: independent runs of this MLP say so",
    paper="",
    question="Does the machinery support what is true?",
    estimand="Ratio of epochs to generalise, decay .1 over decay 1.",
    refuted_by="The interval of the ratio lies below 1.5.",
    systems=("mlp",),
    rule=Sooner("decay 1", "decay .1", claimed=1.5),
)

"""C04: does weak decay never generalise?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import Generalises

CLAIM = Claim(
    id="C04",
    title="Weak decay never generalises",
    statement="With weight decay .001 and no penalty, at least 9 of 10 runs of the MLP do not generalise in the "
    "budget.",
    source="arXiv 2606.32000, table 2: did not generalise in 100,000 epochs, test accuracy 1.7 %",
    paper="not in 100,000 epochs",
    question="Does the paper's baseline with weak decay really never generalise?",
    estimand="Share of runs without sustained test accuracy above 90 % in the budget.",
    refuted_by="The interval of the share lies below .9.",
    systems=("mlp",),
    rule=Generalises("decay .001", 0.9, "does not"),
    seeds=10,
    note="Our budget is shorter than the paper's 100,000 epochs: 'supported' means within our budget.",
)

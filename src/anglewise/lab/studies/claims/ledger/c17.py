"""C17: does the penalty help most where examples are few?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import AllOf, Generalises, Sooner

CLAIM = Claim(
    id="C17",
    title="Decisive where examples are few",
    statement="With few training examples the penalty with weight decay .001 generalises, and does so sooner than "
    "weight "
    "decay 1.",
    source="arXiv 2606.32000, table 6",
    paper="at 30 % of the table: 26,980 to 12,260 epochs with the penalty, strong decay does not generalise",
    question="Does the penalty generalise where weight decay does not?",
    estimand="Share of runs that generalise in the budget; ratio of epochs to generalise, decay 1 over the penalty.",
    refuted_by="The share's interval lies below .9, or the ratio's below 1.",
    systems=("mlp, few examples",),
    rule=AllOf(
        (
            ("the penalty generalises", Generalises("decay .001 + penalty", 0.9)),
            ("sooner than decay 1", Sooner("decay .001 + penalty", "decay 1", claimed=1.0)),
        )
    ),
    note="The paper's rival there is weight decay .1; decay 1 at the same rate is the rival that it leaves out.",
)

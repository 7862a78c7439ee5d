"""C06: does the penalty help the Transformer?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import AllOf, Sooner

CLAIM = Claim(
    id="C06",
    title="Faster on the Transformer",
    statement="On the small Transformer the penalty makes generalisation at least 1.2 times sooner, with weight decay "
    ".1 "
    "and with weight decay 1.",
    source="arXiv 2606.32000, tables 3 and 9",
    paper="8,000 to 5,200 epochs: 1.5 times sooner",
    question="Does the penalty help a Transformer?",
    estimand="Ratio of epochs to generalise without and with the penalty on the sub-layers' outputs.",
    refuted_by="One of the two intervals lies below 1.2.",
    systems=("transformer",),
    rule=AllOf(
        (
            ("with decay .1", Sooner("decay .1 + penalty", "decay .1", claimed=1.2)),
            ("with decay 1", Sooner("decay 1 + penalty", "decay 1", claimed=1.2)),
        )
    ),
    grid_seeds=3,
    note="The paper does not state the decay here, nor the strength; .05 is its strength on the MLP. One run of each "
    "arm on a wider network was looked at before, to choose the budget.",
)

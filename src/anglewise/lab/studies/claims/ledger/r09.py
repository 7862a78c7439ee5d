"""R09: does the penalty help on sparse parity?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import AllOf, Sooner

CLAIM = Claim(
    id="R09",
    title="Helps on sparse parity",
    statement="On the parity of 3 of 30 bits the penalty makes generalisation at least 1.1 times sooner, with weight "
    "decay .1 and with weight decay 1.",
    source="referee of arXiv 2606.32000: a task without a circle",
    paper="",
    question="Does the penalty help on a task that is no arithmetic?",
    estimand="Ratio of steps to generalise without and with the penalty, at two weight decays.",
    refuted_by="One of the two intervals lies below 1.1.",
    systems=("parity",),
    rule=AllOf(
        tuple((f"with decay {x}", Sooner(f"decay {x} + penalty", f"decay {x}", claimed=1.1)) for x in (".1", "1"))
    ),
    scales=("desk",),
    note="One run of each arm was looked at before, to choose the budget.",
)

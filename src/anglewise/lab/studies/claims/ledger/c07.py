"""C07: does the penalty help a GPT to add?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import Sooner

CLAIM = Claim(
    id="C07",
    title="Faster on a GPT that adds",
    statement="On 3-digit addition the penalty with strength .01 makes a GPT reach 90 % exact answers at least 2 times "
    "sooner.",
    source="arXiv 2606.32000, table 3",
    paper="22,500 to 9,800 steps: 2.3 times sooner, with 10 million weights",
    question="Does the penalty help a GPT to learn 3-digit addition?",
    estimand="Ratio of epochs to sustained greedy exact match above 90 % on held-out sums, without and with the "
    "penalty on the sub-layers' outputs.",
    refuted_by="The interval of the ratio lies below 2.",
    systems=("gpt",),
    rule=Sooner("AdamW + penalty", "AdamW", claimed=2.0, least=1.3),
    scales=("desk",),
    note="At desk scale: 0.2 million weights, 10,000 sums, batch 128, reversed answers, no pair and no mirror of it in "
    "both parts. Four runs of the plain arm were looked at before, to choose the budget. The paper's recipe is not "
    "known.",
)

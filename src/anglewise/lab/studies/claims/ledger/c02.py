"""C02: is the penalty faster than strong weight decay on the MLP?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import Sooner

CLAIM = Claim(
    id="C02",
    title="Faster than strong decay on the MLP",
    statement="On the MLP the penalty with weight decay .001 generalises at least 3 times sooner than weight decay .1.",
    source="arXiv 2606.32000, tables 2, 3 and 6",
    paper="15,540 epochs with strong decay, 2,460 +- 136 with the penalty: 6.3 times sooner",
    question="Does the penalty make the paper's MLP generalise sooner than strong weight decay?",
    estimand="Ratio of epochs to sustained test accuracy above 90 %, decay .1 over the penalty with decay .001.",
    refuted_by="The interval of the ratio lies below 3.",
    systems=("mlp",),
    rule=Sooner("decay .001 + penalty", "decay .1", claimed=3.0, least=1.5),
    seeds=10,
    grid_seeds=3,
)

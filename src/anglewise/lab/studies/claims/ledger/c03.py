"""C03: does the penalty beat a tuned decay?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Selected

DECAYS = (".001", ".1", ".5", "1", "2", "5")
CLAIM = Claim(
    id="C03",
    title="Faster than a tuned decay",
    statement="With the weight decay chosen for each side from the same six values, the penalty still generalises at "
    "least 1.2 times sooner.",
    source="our extension; the paper tries two decays at one rate",
    paper="",
    question="Does the penalty still help where the weight decay is chosen well?",
    estimand="Ratio of epochs to generalise, best plain decay over best decay with the penalty; both chosen on three "
    "seeds and compared on ten others.",
    refuted_by="The interval of the ratio lies below 1.2.",
    systems=("mlp",),
    rule=Selected(
        tuple(f"decay {x} + penalty" for x in DECAYS), tuple(f"decay {x}" for x in DECAYS), selection=3, claimed=1.2
    ),
    seeds=13,
)

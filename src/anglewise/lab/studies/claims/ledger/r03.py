"""R03: is sqrt(d) the right radius?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Selected

TARGETS = (".5", "1", "2")
CLAIM = Claim(
    id="R03",
    title="The radius sqrt(d) is the right one",
    statement="The best of the targets .5, 1 and 2, chosen on held-out training pairs, is no more than 1.1 times as "
    "fast as target 1.",
    source="referee of arXiv 2606.32000: the radius should be chosen before",
    paper="a sweep of the radius is mentioned, without numbers",
    question="Is sqrt(d) the best radius, or just a round number?",
    estimand="Ratio of steps to generalise on held-out training pairs: target 1 over the best of the three, chosen on "
    "three seeds and compared on ten others.",
    refuted_by="The interval of the ratio lies above 1.1.",
    systems=("fast, held out",),
    rule=Selected(
        ("AdamW + penalty to 1",),
        tuple(f"AdamW + penalty to {x}" for x in TARGETS),
        selection=3,
        claimed=1 / 1.1,
        least=1 / 1.1,
    ),
    seeds=13,
    scales=("desk",),
)

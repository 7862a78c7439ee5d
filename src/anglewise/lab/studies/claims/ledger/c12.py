"""C12: does the rank rise?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Ratio, Read
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="C12",
    title="Higher rank, smaller largest singular value",
    statement="At the end the penalty raises effective and stable rank of the second layer's activations, and lowers "
    "their largest singular value tenfold.",
    source="arXiv 2606.32000, table 1",
    paper="effective rank 135 to 443 of 512; largest singular value above 52,000 to 36.5",
    question="Does the penalty spread activations over more dimensions?",
    estimand="Paired ratios at the end of training, with and without the penalty, at layer 2 before the ReLU.",
    refuted_by="The interval of a rank's ratio lies below 1.2, or that of the singular value's above .1.",
    systems=("mlp, read",),
    rule=AllOf(
        (
            (
                "effective rank",
                Ratio(Read("effective_rank", "hidden.1.pre"), "decay .001 + penalty", "decay .001", 1.2, larger=True),
            ),
            (
                "stable rank",
                Ratio(Read("stable_rank", "hidden.1.pre"), "decay .001 + penalty", "decay .001", 1.2, larger=True),
            ),
            (
                "largest singular value",
                Ratio(Read("sigma_max", "hidden.1.pre"), "decay .001 + penalty", "decay .001", 0.1, larger=False),
            ),
        )
    ),
    scales=("desk",),
    values=("effective_rank", "stable_rank", "sigma_max", "rank_ceiling", "effective_rank_centred"),
)

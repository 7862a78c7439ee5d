"""C13: does the penalty act against the largest singular value?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Level, Read
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="C13",
    title="Acts against the leading direction",
    statement="A step on the penalty alone raises the stable rank of the activations: it shrinks the largest singular "
    "value more than the others.",
    source="arXiv 2606.32000, the antagonistic gradient",
    paper="derived, not measured",
    question="Does the penalty push hardest against the leading direction?",
    estimand="Relative change of the stable rank by the penalty alone, per unit of time and strength, mean over "
    "training.",
    refuted_by="The rate of a layer lies below 0.",
    systems=("mlp, read",),
    rule=AllOf(
        tuple(
            (
                f"layer {k + 1}",
                Level(
                    Read("penalty_stable_rank_rate", f"hidden.{k}.pre", "mean"),
                    "decay .001 + penalty",
                    0.0,
                    larger=True,
                    unit="relative change of layer 2's stable rank by the penalty"
                    if k
                    else "relative change of layer 1's stable rank by the penalty",
                ),
            )
            for k in range(2)
        )
    ),
    scales=("desk",),
    values=("penalty_stable_rank_rate", "penalty_sigma1_rate", "penalty_bulk_rate"),
)

"""C18: does the penalty add to LayerNorm?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import AllOf, Sooner

CLAIM = Claim(
    id="C18",
    title="Adds to LayerNorm, which gives most of the gain",
    statement="On decay .1 a LayerNorm without gains makes generalisation at least 1.2 times sooner, and the penalty "
    "on "
    "top at least 1.2 times more.",
    source="arXiv 2606.32000, tables 4 and 9",
    paper="LayerNorm 8,000 epochs, penalty 6,167; 'most of the gain'",
    question="Is LayerNorm enough, or does the penalty add to it?",
    estimand="Ratios of epochs to generalise: without over with LayerNorm, and LayerNorm over LayerNorm with the "
    "penalty.",
    refuted_by="One of the two intervals lies below 1.2.",
    systems=("mlp",),
    rule=AllOf(
        (
            ("LayerNorm helps", Sooner("decay .1 + LayerNorm", "decay .1", claimed=1.2)),
            ("the penalty adds to it", Sooner("decay .1 + LayerNorm + penalty", "decay .1 + LayerNorm", claimed=1.2)),
        )
    ),
    note="LayerNorm stands on the pre-activations, which then have radius sqrt(d): there the penalty has nothing to "
    "do.",
)

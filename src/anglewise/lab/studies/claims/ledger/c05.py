"""C05: does the penalty beat MAN and dropout?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Selected
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="C05",
    title="Faster than MAN and dropout",
    statement="The penalty generalises at least 1.2 times sooner than MAN, and than dropout, each with the better of "
    "two strengths.",
    source="arXiv 2606.32000, table 2",
    paper="MAN 15,000 epochs, dropout 22,000, penalty 2,460",
    question="Does the penalty beat other ways to restrain activations?",
    estimand="Ratio of steps to generalise, the better of two strengths of the rival over the better of two of the "
    "penalty; strengths chosen on three seeds, compared on ten others.",
    refuted_by="One of the two intervals lies below 1.2.",
    systems=("fast",),
    rule=AllOf(
        tuple(
            (
                f"faster than {rival}",
                Selected(
                    tuple(f"AdamW + penalty {x}" for x in (".05", ".1")),
                    tuple(f"AdamW + {rival} {x}" for x in strengths),
                    selection=3,
                    claimed=1.2,
                ),
            )
            for rival, strengths in (("MAN", (".15", ".5")), ("dropout", (".1", ".3")))
        )
    ),
    seeds=13,
    scales=("desk",),
    note="On the fast set-up: on the paper's weak decay none of the three generalises in this budget. MAN's released "
    "strengths are .15 and .1; the paper names neither its own nor its dropout rate.",
)

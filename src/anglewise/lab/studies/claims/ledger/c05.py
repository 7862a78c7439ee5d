"""C05: does the penalty beat MAN and dropout?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Selected
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="C05",
    title="Faster than MAN and dropout",
    statement="On weight decay .001 the penalty generalises at least 1.2 times sooner than MAN, and than dropout, with "
    "their strengths chosen from two values.",
    source="arXiv 2606.32000, table 2",
    paper="MAN 15,000 epochs, dropout 22,000, penalty 2,460",
    question="Does the penalty beat other ways to restrain activations?",
    estimand="Ratio of epochs to generalise, the better of two strengths over the penalty; strengths chosen on three "
    "seeds, compared on ten others.",
    refuted_by="One of the two intervals lies below 1.2.",
    systems=("mlp",),
    rule=AllOf(
        (
            (
                "faster than MAN",
                Selected(
                    ("decay .001 + penalty",), ("decay .001 + MAN .15", "decay .001 + MAN .5"), selection=3, claimed=1.2
                ),
            ),
            (
                "faster than dropout",
                Selected(
                    ("decay .001 + penalty",),
                    ("decay .001 + dropout .1", "decay .001 + dropout .3"),
                    selection=3,
                    claimed=1.2,
                ),
            ),
        )
    ),
    seeds=13,
    note="MAN's released strengths are .15 and .1; the paper names neither its own nor its dropout rate.",
)

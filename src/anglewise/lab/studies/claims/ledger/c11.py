"""C11: are the minima flatter?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Ratio, Read
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="C11",
    title="Flatter minima",
    statement="At equal training loss the penalty at least halves the trace of the Hessian and the normalised "
    "sharpness.",
    source="arXiv 2606.32000, proposition 3 and table 1",
    paper="trace 42.5 to 1.4; normalised sharpness .18 to .004",
    question="Does the penalty lead to flatter minima?",
    estimand="Paired ratio of the task loss's Hessian trace, and of the top eigenvalue times the squared weight norm, "
    "with and without the penalty, where the training losses are equal.",
    refuted_by="The interval of one of the two ratios lies above .5.",
    systems=("mlp, read",),
    rule=AllOf(
        (
            (
                "trace",
                Ratio(Read("hessian_trace", "", "equal loss"), "decay .001 + penalty", "decay .001", 0.5, larger=False),
            ),
            (
                "sharpness",
                Ratio(
                    Read("normalised_sharpness", "", "equal loss"),
                    "decay .001 + penalty",
                    "decay .001",
                    0.5,
                    larger=False,
                ),
            ),
        )
    ),
    scales=("desk",),
    values=("hessian_trace", "normalised_sharpness", "hessian_loss", "hessian_top"),
    note="A fitted network without a penalty has almost no loss left, and with it almost no curvature. So both are "
    "compared at equal loss.",
)

"""R04: do other means that hold the radius alike help alike?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Alike
from anglewise.lab.studies.claims.reading_rules import Close, Read
from anglewise.lab.studies.claims.rules import AllOf

PLAIN, PENALTY = "AdamW", "AdamW + penalty"
MEANS = ("projection 1.2", "radius at most 1.2", "penalty to 1.2")
CLAIM = Claim(
    id="R04",
    title="Equal radii, equal gain",
    statement="Other means that hold the mean radius within a quarter of the penalty's generalise within a factor of "
    "1.25 "
    "of its time.",
    source="referee of arXiv 2606.32000: the falsifier",
    paper="",
    question="If another means holds the radius where the penalty holds it, does it help as much?",
    estimand="For three means: ratio of mean radii over training, and ratio of steps to generalise, to the penalty's.",
    refuted_by="A means whose radii are alike takes a time that is not.",
    systems=("fast",),
    rule=AllOf(
        tuple(
            part
            for means in MEANS
            for part in (
                (
                    f"{means}: radius of layer 2 is alike",
                    Close(Read("radius", "hidden.1.pre", "mean"), f"{PLAIN} + {means}", PENALTY, within=1.25),
                ),
                (f"{means}: time is alike", Alike(f"{PLAIN} + {means}", PENALTY, within=1.25)),
            )
        )
    ),
    scales=("desk",),
    values=("radius",),
    note="The fast set-up's rate is .05. At this rate projected and normalised networks do not even fit the training "
    "examples, so that their times say little about the radius.",
)

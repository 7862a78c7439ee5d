"""C01: does radial inflation cause the delay?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import AllOf, AtLeast, Sooner

PLAIN = "AdamW"
BLOCKERS = ("penalty", "projection 1.2", "RMSNorm", "radius at most 1.2", "rows at most 1.5")
"""Five means that keep radii from growing, in the fast set-up; the plain arm's radii grow far above 1.2 sqrt(d)."""
CLAIM = Claim(
    id="C01",
    title="Growing radii cause the delay",
    statement="Growing radii delay generalisation: who keeps them from growing generalises sooner, by whatever means, "
    "and who forces them to grow generalises later.",
    source="arXiv 2606.32000, abstract and section 3; the paper calls its evidence correlational",
    paper="",
    question="Is it the growth of the radius that delays generalisation?",
    estimand="Ratio of times to generalise, for five means of blocking growth and one of forcing it.",
    refuted_by="Three of the five means do not help by a fifth, or forced growth does not hurt by a fifth.",
    systems=("fast",),
    rule=AllOf(
        (
            (
                "at least three of five means that block growth help",
                AtLeast(
                    3, tuple((f"{means} helps", Sooner(f"{PLAIN} + {means}", PLAIN, claimed=1.2)) for means in BLOCKERS)
                ),
            ),
            ("forced growth hurts", Sooner(PLAIN, f"{PLAIN} + penalty to 4", claimed=1.2)),
        )
    ),
    scales=("desk",),
    note="The fast set-up generalises in about 140 steps, so that many means can be compared. Its rate is .05. At this "
    "rate projected and normalised networks do not even fit the training examples. At the paper's rate they do, and "
    "there a projection and LayerNorm are faster than plain decay (C18, C19). So the verdict is about the fast set-up.",
)

"""R08: do architectures that bound the radius need no penalty?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Alike
from anglewise.lab.studies.claims.rules import AllOf

NORMS = ("LayerNorm", "RMSNorm", "projection 1.2")
CLAIM = Claim(
    id="R08",
    title="Where the architecture bounds the radius, the penalty adds nothing",
    statement="On networks with LayerNorm, RMSNorm or a projection at the sites, the penalty changes the time by less "
    "than "
    "a factor of 1.1.",
    source="referee of arXiv 2606.32000: architectures that limit radial growth",
    paper="",
    question="Is the penalty needed where the architecture bounds the radius?",
    estimand="Ratio of steps to generalise with and without the penalty, for each architecture.",
    refuted_by="The interval of an architecture's ratio lies outside 1/1.1 to 1.1.",
    systems=("fast",),
    rule=AllOf(tuple((norm, Alike(f"AdamW + {norm} + penalty", f"AdamW + {norm}", within=1.1)) for norm in NORMS)),
    scales=("desk",),
    note="The fast set-up's rate is .05. At this rate projected and normalised networks do not even fit the training "
    "examples, so that their times say little about the radius.",
)

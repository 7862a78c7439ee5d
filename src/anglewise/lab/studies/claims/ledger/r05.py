"""R05: does forced inflation slow a fast arm?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.rules import AllOf, Sooner

CLAIM = Claim(
    id="R05",
    title="Forced growth slows a fast run",
    statement="A penalty towards 4 sqrt(d) makes a tuned run at least 1.2 times slower, and one towards 2 sqrt(d) too.",
    source="referee of arXiv 2606.32000: the falsifier's other half",
    paper="",
    question="Does a run that generalises fast slow down when its radii are forced up?",
    estimand="Ratio of steps to generalise, forced over tuned AdamW.",
    refuted_by="One of the two intervals lies below 1.2.",
    systems=("fast",),
    rule=AllOf(
        tuple(
            (f"towards {x} sqrt(d)", Sooner("tuned AdamW", f"tuned AdamW + penalty to {x}", claimed=1.2))
            for x in (2, 4)
        )
    ),
    scales=("desk",),
)

"""C19: is the penalty an approximation of motion on the sphere?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Alike
from anglewise.lab.studies.claims.rules import AllOf, Sooner

CLAIM = Claim(
    id="C19",
    title="A strong penalty acts like motion on the sphere",
    statement="A strength of 1 takes within a factor of 1.25 as long as the exact projection on the sphere, and a "
    "strength "
    "of .05 is faster than the projection.",
    source="arXiv 2606.32000, section 3.3; table 5 calls the hard sphere brittle",
    paper="a limit that is stated and not measured",
    question="Does a strong penalty behave like an exact projection on the sphere?",
    estimand="Ratios of epochs to generalise on decay .1: projection over strength 1, projection over strength .05.",
    refuted_by="The first interval lies outside 1/1.25 to 1.25, or the second below 1.",
    systems=("mlp",),
    rule=AllOf(
        (
            ("strength 1 is like the projection", Alike("decay .1 + penalty 1", "decay .1 + projection", within=1.25)),
            ("strength .05 is faster", Sooner("decay .1 + penalty .05", "decay .1 + projection", claimed=1.0)),
        )
    ),
    note="On decay .1. The record of C18 has decay .1 alone, which takes longer than the projection.",
)

"""C16: is a strength of .05 best?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Interior
from anglewise.lab.studies.claims.rules import AllOf, Generalises

BASE = "decay .1 + penalty"
SWEEP = (".001", ".05", "1")
CLAIM = Claim(
    id="C16",
    title="A strength of .05 is best, and every strength works",
    statement="Strength .05 generalises sooner than .001 and than 1, and at least 9 of 10 runs generalise at either "
    "end.",
    source="arXiv 2606.32000, table 7",
    paper="8,200 epochs at .001, 4,100 at .01, 2,460 at .05, 3,800 at .1, 6,400 at .5, 9,900 at 1",
    question="Is there a best strength inside the range that the paper tries?",
    estimand="Ratios of epochs to generalise, the ends of the sweep over strength .05, on decay .1.",
    refuted_by="Strength .05 is not faster than one of the ends, or an end does not generalise.",
    systems=("mlp",),
    rule=AllOf(
        (
            (".05 is best", Interior(tuple(f"{BASE} {x}" for x in SWEEP), f"{BASE} .05")),
            (".001 generalises", Generalises(f"{BASE} .001", 0.9)),
            ("1 generalises", Generalises(f"{BASE} 1", 0.9)),
        )
    ),
    note="On decay .1, since on the paper's decay of .001 the penalty does not generalise in this world's budget.",
)

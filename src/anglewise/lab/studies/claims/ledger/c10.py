"""C10: is inflation suppressed from the first step on?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Level, Read
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="C10",
    title="Suppressed from the first step on",
    statement="Activations start outside the sphere of radius sqrt(d), so that the penalty pulls inward from the first "
    "step on.",
    source="arXiv 2606.32000, figure 3 and its text",
    paper="suppressed from initialisation on",
    question="Does the penalty hold activations back from the start, or does it first push them out?",
    estimand="Mean radius before the first step in units of sqrt(d), at both layers.",
    refuted_by="The mean radius of a layer lies below 1: there the penalty pushes outward first.",
    systems=("mlp, read",),
    rule=AllOf(
        tuple(
            (
                f"layer {k + 1}",
                Level(
                    Read("radius", f"hidden.{k}.pre", "start"),
                    "decay .001 + penalty",
                    1.0,
                    larger=True,
                    unit=f"mean radius of layer {k + 1} before the first step, in sqrt(d)",
                ),
            )
            for k in range(2)
        )
    ),
    scales=("desk",),
    values=("radius",),
)

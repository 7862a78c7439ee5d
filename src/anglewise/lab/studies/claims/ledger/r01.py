"""R01: does the penalty leave directions alone?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Level, Read
from anglewise.lab.studies.claims.rules import AllOf

WIDTH = 128
CLAIM = Claim(
    id="R01",
    title="The penalty moves radii, not directions",
    statement="At least 90 % of the squared motion of activations that a step on the penalty alone makes is radial, at "
    "both layers.",
    source="referee of arXiv 2606.32000: cross-terms of the two parts",
    paper="",
    question="Does the penalty change radii only, or does it turn activations too?",
    estimand="Radial share of the first-order motion by a step on the penalty alone, mean over training.",
    refuted_by="The share of a layer lies below .9.",
    systems=("mlp, read",),
    rule=AllOf(
        tuple(
            (
                f"layer {k + 1}",
                Level(
                    Read("penalty_step_radial_energy", f"hidden.{k}.pre", "mean"),
                    "decay .001 + penalty",
                    0.9,
                    larger=True,
                    factor=1 / WIDTH,
                    unit=f"radial share of layer {k + 1}'s motion by the penalty",
                ),
            )
            for k in range(2)
        )
    ),
    scales=("desk",),
    values=("penalty_step_radial_energy", "task_step_radial_energy", "update_radial_energy"),
    note="Weights are shared by examples, so a gradient that is radial for each of them turns the others.",
)

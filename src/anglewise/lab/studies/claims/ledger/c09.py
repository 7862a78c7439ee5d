"""C09: does less of the task gradient point along the radius?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Ratio, Read
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="C09",
    title="Less radial energy in the gradient",
    statement="The penalty lowers the radial energy of the task gradient to at most .8 of that without it, at both "
    "layers.",
    source="arXiv 2606.32000, proposition 2 and figure 3",
    paper="about .15 of the total gradient; 1 is isotropic",
    question="Does the penalty turn the task gradient away from the radius?",
    estimand="Paired ratio of the task gradient's radial energy, mean over training, with and without the penalty.",
    refuted_by="The interval of a layer's ratio lies above .8.",
    systems=("mlp, read",),
    rule=AllOf(
        tuple(
            (
                f"layer {k + 1}",
                Ratio(
                    Read("radial_energy", f"hidden.{k}.pre", "mean"),
                    "decay .001 + penalty",
                    "decay .001",
                    0.8,
                    larger=False,
                ),
            )
            for k in range(2)
        )
    ),
    scales=("desk",),
    values=("radial_energy", "total_radial_energy"),
    note="The gradient of the total loss holds the penalty's own radial gradient. So the task gradient decides.",
)

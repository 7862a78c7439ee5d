"""R02: is the angular gradient the same at another radius?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Level, Read
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="R02",
    title="The radius does not change the angular gradient's direction",
    statement="The relative change of the angular task gradient per unit of ln r is below .1 at both layers.",
    source="referee of arXiv 2606.32000: a rebuttal says that isotropy is unchanged to first order",
    paper="",
    question="Do activations turn the same way when all radii are rescaled?",
    estimand="Relative change of the angular gradient as all radii of a site grow, per unit of ln r, mean over "
    "training.",
    refuted_by="The change of a layer lies above .1.",
    systems=("mlp, read",),
    rule=AllOf(
        tuple(
            (
                f"layer {k + 1}",
                Level(
                    Read("angular_coupling", f"hidden.{k}.pre", "mean"),
                    "decay .001 + penalty",
                    0.1,
                    larger=False,
                    unit=f"relative change of layer {k + 1}'s angular gradient per unit of ln r",
                ),
            )
            for k in range(2)
        )
    ),
    scales=("desk",),
    values=(
        "angular_coupling",
        "angular_elasticity",
        "angular_isotropy_x0.5",
        "angular_isotropy_x1",
        "angular_isotropy_x2",
    ),
)

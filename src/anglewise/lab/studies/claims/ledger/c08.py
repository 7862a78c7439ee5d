"""C08: is the penalty an anisotropic decay of the weights?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Level, Read
from anglewise.lab.studies.claims.rules import AllOf

CLAIM = Claim(
    id="C08",
    title="An anisotropic decay of the weights",
    statement="The matrix by which the penalty decays a layer's weights is anisotropic in both layers, and the weights "
    "follow it.",
    source="arXiv 2606.32000, proposition 1",
    paper="derived, not measured",
    question="Does the penalty decay weights along directions that the data choose?",
    estimand="Excess anisotropy of the inputs within their span at both layers; cosine between what the weights of the "
    "second layer do and what the penalty asks for.",
    refuted_by="The excess of a layer lies below .5, or the cosine below .1.",
    systems=("mlp, read",),
    rule=AllOf(
        (
            (
                "layer 1",
                Level(
                    Read("input_anisotropy_excess", "hidden.0.pre"),
                    "decay .001 + penalty",
                    0.5,
                    larger=True,
                    unit="excess anisotropy of layer 1's inputs",
                ),
            ),
            (
                "layer 2",
                Level(
                    Read("input_anisotropy_excess", "hidden.1.pre"),
                    "decay .001 + penalty",
                    0.5,
                    larger=True,
                    unit="excess anisotropy of layer 2's inputs",
                ),
            ),
            (
                "weights follow",
                Level(
                    Read("update_alignment", "hidden.1.pre", "mean"),
                    "decay .001 + penalty",
                    0.1,
                    larger=True,
                    unit="cosine of layer 2's change with the penalty's",
                ),
            ),
        )
    ),
    scales=("desk",),
    values=("input_anisotropy_excess", "penalty_anisotropic_share", "update_alignment", "penalty_negative"),
)

"""R06: does the radius tell that a run is about to generalise?"""

from __future__ import annotations

from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.comparisons import Apart

CLAIM = Claim(
    id="R06",
    title="The radius tells what is coming",
    statement="On tasks that were not fitted, the radius ranks runs that are about to generalise better than the "
    "training loss does.",
    source="referee of arXiv 2606.32000: early warning",
    paper="",
    question="Can the radius tell that a run is about to generalise?",
    estimand="Area under the ROC curve at equal steps, on held-out tasks: will the run generalise by twice this step?",
    refuted_by="The radius's interval lies below that of the training loss.",
    systems=("early warning",),
    rule=Apart("auc_same_step", "radius", "train loss", "area under the ROC curve"),
    scales=("desk",),
    values=("auc_same_step", "auc_same_step_low", "auc_same_step_high", "seeds"),
    recorded="early-warning",
    note="Decided by the scores of the record of early warning, which has 8 seeds.",
)

"""A claim that another record decides: from its scores to a verdict."""

from __future__ import annotations

import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.studies.claims import recorded
from anglewise.lab.studies.claims.claims import CLAIMS
from anglewise.lab.studies.claims.decision import Decision

CLAIM = CLAIMS["R06"]
HEAD = "horizon,split,predictor,seeds,auc_same_step,auc_same_step_low,auc_same_step_high"
SCORES = (
    "doubling,tasks,radius,10,.9,.85,.95",
    "doubling,tasks,train loss,10,.7,.6,.8",
    "doubling,seeds,radius,10,.1,.1,.1",
    "500,tasks,radius,10,.2,.2,.2",
    "doubling,tasks,base rate,10,.5,.5,.5",
)


def written(folder, head=HEAD, lines=SCORES):
    """Scores of the record that decides the claim."""
    (folder / CLAIM.recorded).mkdir()
    (folder / CLAIM.recorded / "scores.csv").write_text("\n".join((head, *lines)))
    return folder


def test_the_scores_of_held_out_tasks_at_twice_the_step_decide(tmp_path):
    record = recorded.gather(CLAIM, written(tmp_path))
    assert len(record.values) == 2 * len(CLAIM.values) and not record.runs
    verdict = record.verdict(CLAIM, "desk")
    decision: Decision = verdict.likely[0].decision
    assert verdict.word == "supported" and decision.estimate[:3] == (0.9, 0.85, 0.95) and decision.n == 10
    assert record.provenance["command"] == "python records/early-warning/make.py"


def test_fewer_seeds_than_a_claim_needs_decide_nothing(tmp_path):
    record = recorded.gather(CLAIM, written(tmp_path, lines=[line.replace(",10,", ",8,") for line in SCORES]))
    assert record.verdict(CLAIM, "desk").needs == "10 seeds, there are 8"


def test_scores_that_are_absent_or_lack_a_column_give_one_line(tmp_path):
    with pytest.raises(AnglewiseError, match="R06 is decided by .*scores.csv, which cannot be read: No such file"):
        recorded.gather(CLAIM, tmp_path)
    written(tmp_path, head=HEAD.replace("seeds", "n").replace("split", "part"))
    with pytest.raises(AnglewiseError, match="R06 is decided by .*scores.csv, which lacks the columns split, seeds"):
        recorded.gather(CLAIM, tmp_path)

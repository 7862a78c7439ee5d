"""A tiny claim, live: trained, collected, recorded and decided."""

from __future__ import annotations

import dataclasses

import pytest

from anglewise.errors import StoreError
from anglewise.lab.methods.optimizers import AdamW
from anglewise.lab.models.mlp import MLP
from anglewise.lab.readings.radii import RadiusQuantiles
from anglewise.lab.spec import Training
from anglewise.lab.studies.claims import evidence, plan, record
from anglewise.lab.studies.claims.claim import Claim
from anglewise.lab.studies.claims.reading_rules import Level, Read
from anglewise.lab.studies.claims.rules import AllOf, Sooner
from anglewise.lab.studies.claims.systems import SYSTEMS, Place, System
from anglewise.lab.tasks.parity import Parity

TRAINING = Training(budget=120, every=5, measure_every=30, threshold=0.9, sustain=3, further=-1)
RATES = {"fast": 0.01, "slow": 0.002}
TINY = System(
    "tiny", "One bit of eight, which every network learns at once",
    lambda scale, world: Place(Parity(bits=8, secret=1, train=100, test=100), MLP(hidden=(16,)), TRAINING, 4),
    lambda name, world: (AdamW(lr=RATES[name]),),
    readings=(RadiusQuantiles(),), scales=("desk",),
)  # fmt: skip
TEXTS = ("", "", "", "", "", "", "")
FASTER = Sooner("fast", "slow", claimed=2.0, least=1.2)
CLAIM = Claim("X01", *TEXTS, ("tiny",), FASTER, scales=("desk",), values=("radius", "radius_q50"))
FALSE = dataclasses.replace(CLAIM, id="X02", rule=Sooner("slow", "fast", claimed=1.0))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Stores in which the tiny claim was trained."""
    folder = tmp_path_factory.mktemp("claims")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SYSTEMS, "tiny", TINY)
        for part in plan.parts(CLAIM, "desk", root=folder):
            plan.train(part, {"command": "tiny", "started": "2026-11-27", "host": "here"}, quiet=True)
    return folder


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setitem(SYSTEMS, "tiny", TINY)


def test_a_true_claim_is_supported_and_a_false_one_refuted(root, tmp_path):
    for claim, word in ((CLAIM, "supported"), (FALSE, "refuted")):
        found = plan.gather(claim, "desk", root=root)
        record.write(tmp_path / claim.id, claim, found)
        back = record.read(tmp_path / claim.id)
        verdict = back.verdict(claim, "desk")
        assert verdict.word == word == found.verdict(claim, "desk").word and verdict.likely[0].decision.n == 10
    assert verdict.likely[0].decision.estimate.high < 0.7


def test_rows_say_how_the_runs_ended(root):
    found = plan.gather(CLAIM, "desk", root=root)
    assert len(found.runs) == 20 and {run.outcome for run in found.runs} <= {"grokked", "generalised-at-once"}
    assert found.provenance["command"] == "tiny" and "host" not in found.provenance
    (part,) = plan.parts(CLAIM, "desk", root=root)
    ids = {(run.arm.name, run.seed): run.run_id for run in part.experiment.runs()}
    for run in found.runs:
        assert run.run_id == ids[run.arm, run.seed] and (run.system, run.scale, run.world) == ("tiny", "desk", "likely")
        assert (run.epoch, run.every, run.budget, run.threshold, run.steps) == (4, 5, 120, 0.9, 120)
        assert 0 < run.first <= run.sustained < 120 and run.first % 5 == 0
        assert run.final > 0.9 and run.seconds >= 0 and (run.first99 is None or run.first99 >= run.first)


def test_values_are_kept_at_every_measurement_where_they_are_asked_for(root):
    found = plan.gather(CLAIM, "desk", root=root)
    assert {value.site for value in found.values} == {"hidden.0.pre"}
    for arm in ("fast", "slow"):
        for name, every in (("radius", 5), ("radius_q50", 30)):  # at evaluations, and at measurements
            steps = [v.step for v in found.values if (v.arm, v.seed, v.name) == (arm, 3, name)]
            assert sorted(steps) == list(range(0, 121, every))
    none = plan.gather(dataclasses.replace(CLAIM, values=()), "desk", root=root)
    assert none.values == () and none.runs == found.runs
    read = Level(Read("radius", "hidden.0.pre", "start"), "fast", 0.0, larger=True)
    both = dataclasses.replace(CLAIM, rule=AllOf((("sooner", FASTER), ("grows", read))))
    assert found.verdict(both, "desk").word == "supported"


def test_runs_that_were_not_trained_are_missing(root):
    more = dataclasses.replace(CLAIM, seeds=11)
    verdict = plan.gather(more, "desk", root=root).verdict(more, "desk")
    assert verdict.word == "inconclusive" and verdict.needs == "the missing runs: slow, seed 10 and 1 more"


def test_a_longer_budget_makes_its_runs_missing(root, monkeypatch):
    longer = dataclasses.replace(TRAINING, budget=240)
    place = dataclasses.replace(TINY.place("desk", TINY.world()), training=longer)
    monkeypatch.setitem(SYSTEMS, "tiny", dataclasses.replace(TINY, place=lambda scale, world: place))
    assert plan.gather(CLAIM, "desk", root=root).runs == ()


def test_a_shorter_budget_and_a_higher_threshold_are_read_from_the_same_runs(root, monkeypatch):
    other = dataclasses.replace(TRAINING, budget=10, threshold=1.0)
    place = dataclasses.replace(TINY.place("desk", TINY.world()), training=other)
    monkeypatch.setitem(SYSTEMS, "tiny", dataclasses.replace(TINY, place=lambda scale, world: place))
    found = plan.gather(CLAIM, "desk", root=root)
    assert len(found.runs) == 20 and {run.steps for run in found.runs} == {10}
    assert {value.step for value in found.values} == {0, 5, 10}
    assert all(run.sustained is None for run in found.runs if run.arm == "slow")


def test_a_folder_that_is_no_store_is_an_error(tmp_path):
    with pytest.raises(StoreError):
        evidence.collect(tmp_path, [], system="tiny", scale="desk", world="likely", epoch=1)

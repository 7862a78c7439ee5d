"""Labels: names become words, and words stay."""

from __future__ import annotations

import dataclasses

import pytest

from anglewise.errors import SpecError
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.report.labels import spoken
from anglewise.lab.spec import Arm
from anglewise.lab.studies.leaderboard.leaderboards import LEADERBOARDS
from anglewise.lab.studies.leaderboard.plan import assemble


def test_names_of_the_leaderboards_are_words():
    named = {arm.name for track in LEADERBOARDS for arm in assemble(track).experiment.arms}
    assert [
        name for name in named if spoken(name) == name and "-" in name and name not in ("self-modelling", "z-loss")
    ] == []
    assert len({spoken(name) for name in named}) == len(named)


@pytest.mark.parametrize("name", ["push permuted", "decay .1 + penalty", "radial, target .5", "", "a-b", "lr=0.1"])
def test_other_names_stay_as_they_are_where_no_part_is_a_method(name):
    assert spoken(name) == name.replace("radial", "radial penalty")


def test_an_arm_is_called_by_its_label_else_by_its_name_in_words(make):
    results = make({"mine": 60, "adamw-tuned+radial": 80}, seeds=1)
    results.spec["arms"][0]["label"] = "my own"
    assert results.labels == {"mine": "my own", "adamw-tuned+radial": "AdamW, tuned + radial penalty"}


def test_a_label_changes_no_id():
    named = EXPERIMENTS["quickstart"]
    assert all(arm.label for arm in named.arms)
    bare = dataclasses.replace(named, arms=tuple(dataclasses.replace(arm, label="") for arm in named.arms))
    assert bare.experiment_id == named.experiment_id
    assert [run.run_id for run in bare.runs()] == [run.run_id for run in named.runs()]


def test_a_label_is_one_printable_line():
    with pytest.raises(SpecError, match="an arm's label takes at most 80 printable characters, got"):
        Arm("a", EXPERIMENTS["quickstart"].arms[0].methods, "two\nlines")

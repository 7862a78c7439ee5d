from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from anglewise.errors import SpecError
from anglewise.lab.experiments import EXPERIMENTS
from anglewise.lab.experiments.request import names_in, readings_named, requested
from anglewise.lab.readings.curvature import Curvature
from anglewise.lab.readings.sets import DEFAULT, READINGS

QUICK = EXPERIMENTS["quickstart"]


def test_a_name_alone_is_the_experiment_with_its_default_readings():
    request = requested("quickstart")
    assert request.experiment == QUICK and request.notes == ()
    assert request.readings == tuple(DEFAULT.values())
    assert request.folder == Path("runs/quickstart")


def test_changes_by_path_or_nested_are_the_same_and_win_over_seeds_and_budget():
    by_path = requested("quickstart", seeds=2, budget=100, changes={"task.p": 97, "seeds": 3}).experiment
    nested = requested("quickstart", budget=100, changes={"task": {"p": 97}, "seeds": 3}).experiment
    assert by_path == nested
    assert (by_path.seeds, by_path.training.budget, by_path.task.p) == (3, 100, 97)


def test_an_experiment_and_a_file_are_taken_as_they_are(tmp_path):
    mine = dataclasses.replace(QUICK, name="mine", seeds=1)
    assert requested(mine).experiment is mine or requested(mine).experiment == mine
    (tmp_path / "wide.toml").write_text('base = "quickstart"\nseeds = 3')
    assert requested(tmp_path / "wide.toml").experiment.seeds == 3


def test_arms_are_kept_in_their_order_and_the_baseline_goes_with_its_arm():
    kept = requested("quickstart", arms=["adamw-tuned", "adamw-common"]).experiment
    assert [arm.name for arm in kept.arms] == ["adamw-common", "adamw-tuned"]
    assert kept.reference == QUICK.reference
    assert requested("quickstart", arms="adamw-tuned").experiment.reference == "adamw-tuned"


def test_readings_are_names_sets_or_objects_and_each_is_taken_once():
    assert readings_named("default") == DEFAULT
    assert list(readings_named("energy, default,energy")) == ["energy", *(name for name in DEFAULT if name != "energy")]
    assert readings_named("none") == readings_named("") == readings_named([]) == {}
    (changed,) = readings_named("energy", {"energy": {"rows": 7}}).values()
    assert changed.rows == 7 and READINGS["energy"].rows != 7
    assert readings_named(["curvature", Curvature(probes=7)]) == {"curvature": Curvature(probes=7)}


def test_no_reading_is_taken_where_nothing_is_measured():
    assert requested("quickstart", changes={"training.measure_every": 0}).readings == ()


def test_what_cannot_act_is_noted():
    notes = requested("quickstart", readings=["attention", "energy"], changes={"training.sustain": 10_000}).notes
    assert len(notes) == 2
    assert notes[0] == "left out, since they do not suit this task and model: attention"
    assert notes[1].startswith("training.sustain 10000 is more than the ")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"experiment": "quickstar"}, "unknown experiment 'quickstar': did you mean 'quickstart'"),
        ({"experiment": 3}, "expected the name of an experiment, a .toml file or an Experiment, got 3"),
        ({"arms": ["adamw-comon"]}, "unknown arm 'adamw-comon': did you mean 'adamw-common'"),
        ({"arms": "adamw-comon"}, "unknown arm 'adamw-comon': did you mean 'adamw-common'"),
        ({"arms": []}, "has no arms: give at least one"),
        ({"seeds": "two"}, "seeds: expected a whole number, got 'two'"),
        ({"changes": {"task.q": 3}}, "unknown field of task 'q'"),
        ({"readings": ["energie"]}, "unknown reading 'energie': did you mean 'energy'"),
        ({"readings": "energy", "changes": {"readings.logits.rows": 3}}, "unknown reading among those asked for"),
        ({"changes": {"readings.energy": 3}}, "readings.energy: expected a field, such as readings.energy.rows, got 3"),
        (
            {"readings": "attention"},
            "none of the readings 'attention' suits MLP on Modular: see anglewise list readings",
        ),
        ({"readings": "energy", "changes": {"training.measure_every": 0}}, "readings are asked for, but training"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest_name(call, message):
    with pytest.raises(SpecError) as error:
        requested(**{"experiment": "quickstart"} | call)
    assert message in str(error.value)


def test_a_list_takes_names_whole_and_a_text_splits_at_commas():
    known = ["a", "b", "a, b"]
    assert names_in("a, b", known, "arm") == ["a, b"]
    assert names_in(["a", "b", "a"], known, "arm") == ["a", "b"]

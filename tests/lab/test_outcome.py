import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anglewise.lab.outcome import Ending, Outcome, Rule, judge, outcome_under, stop_step, times

STEPS = np.arange(0, 100, 10)


def curve(*values):
    return np.array(values + (values[-1],) * (len(STEPS) - len(values)), float)


def test_first_and_sustained_crossings_differ_where_accuracy_dips():
    accuracy = curve(0.1, 0.96, 0.5, 0.97, 0.98, 0.99)
    assert times(STEPS, accuracy, 0.95, 3) == (10, 30)


def test_exactly_the_threshold_counts_and_nan_does_not():
    assert times(STEPS, curve(0.95), 0.95, 5) == (0, 0)
    assert times(STEPS, curve(np.nan), 0.95, 5) == (None, None)


def test_a_crossing_too_late_to_be_confirmed_is_not_sustained():
    accuracy = np.where(STEPS >= 70, 1.0, 0.0)
    assert times(STEPS, accuracy, 0.95, 3) == (70, 70)
    assert times(STEPS, accuracy, 0.95, 4) == (70, None)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 6))
def test_times_match_the_obvious_loop(values, sustain):
    steps, above = np.arange(len(values)), [v >= 0.95 for v in values]
    first = next((i for i, hit in enumerate(above) if hit), None)
    starts = range(len(above) - sustain + 1)
    sustained = next((i for i in starts if all(above[i : i + sustain])), None)
    assert times(steps, np.array(values), 0.95, sustain) == (first, sustained)


@pytest.mark.parametrize(("further", "step"), [(None, None), (0, 40), (15, 60), (1000, None)])
def test_a_run_stops_once_confirmed_and_trained_on(further, step):
    accuracy = np.where(STEPS >= 20, 1.0, 0.0)  # confirmed at 40 by three in a row
    assert stop_step(STEPS, accuracy, threshold=0.95, sustain=3, further=further) == step


FITTED, LATE, NEVER = curve(0.0, 1.0), np.where(STEPS >= 50, 1.0, 0.1), curve(0.1)
BRIEF = curve(0.1, 0.2, 0.96, 0.3)


@pytest.mark.parametrize(
    ("train", "test", "outcome"),
    [
        (FITTED, LATE, "grokked"),
        (FITTED, curve(0.0, 1.0), "generalised-at-once"),
        (NEVER, LATE, "generalised-at-once"),  # never memorised, hence no delay after memorising
        (FITTED, BRIEF, "reached-not-held"),  # once above the threshold is not "memorised", whatever came after
        (NEVER, BRIEF, "reached-not-held"),
        (FITTED, curve(0.0, 0.9499), "memorised"),
        (FITTED, NEVER, "memorised"),
        (NEVER, NEVER, "underfit"),
    ],
)
def test_outcomes(train, test, outcome):
    assert judge(STEPS, train, test, np.ones(len(STEPS))) == outcome


def test_without_a_threshold_a_run_is_trained_and_has_no_time():
    loss = np.ones(len(STEPS))
    assert judge(STEPS, FITTED, FITTED, loss, threshold=0) == "trained"
    assert judge(STEPS, FITTED, FITTED, loss * np.nan, threshold=0) == "diverged"
    assert times(STEPS, FITTED, 0) == (None, None)
    assert stop_step(STEPS, FITTED, threshold=0, sustain=1, further=0) is None


def test_a_loss_that_is_not_finite_is_diverged_whatever_else():
    loss = np.ones(len(STEPS))
    loss[-1] = np.inf
    assert judge(STEPS, FITTED, LATE, loss) == "diverged"


def test_a_run_goes_on_to_its_next_measurement():
    steps, accuracy = np.arange(0, 100, 4), np.linspace(0, 1, 25)
    rule = {"threshold": 0.5, "sustain": 3, "further": 6}
    assert stop_step(steps, accuracy, **rule) == 64
    assert stop_step(steps, accuracy, **rule, measure=20) == 80
    assert stop_step(steps[:18], accuracy[:18], **rule, measure=20) is None


RULE = Rule(budget=90, every=10, threshold=0.9, sustain=2, further=-1, measure_every=0)
CURVES = {
    "step": STEPS,
    "train_accuracy": curve(1.0),
    "test_accuracy": curve(0.1, 0.2, 0.92, 0.96, 0.97),
    "train_loss": curve(0.5),
}


def test_an_ending_is_what_the_evaluations_say_under_a_rule():
    assert outcome_under(RULE, CURVES) == Ending(
        "grokked", 90, first=20, sustained=20, t95=30, t95_sustained=30, t_capped=20, threshold=0.9, budget=90
    )
    assert outcome_under(RULE._replace(budget=100), CURVES) is None
    never = outcome_under(RULE._replace(threshold=0.99), CURVES)
    assert (never.first, never.t_capped) == (None, 90)


FULL = Outcome(
    "grokked", 90, 20, 20, 30, 30, 20, 0.9, 90, seconds=1.5, trained=100, every=10, rule=RULE, trained_seconds=2.0,
    readings=({"is": "Motion"},), segments=("curves-1",), rows={"curves": 10, "readings": 0, "arrays": 0},
)  # fmt: skip


@pytest.mark.parametrize("outcome", [FULL, Outcome("diverged", 10, rule=RULE)], ids=["full", "little is known"])
def test_an_outcome_survives_a_file(outcome):
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


def test_the_fields_of_a_file_have_the_names_that_they_always_had():
    """Of PROTOCOL 3: stores that are there are read."""
    assert FULL.to_json() == {
        "outcome": "grokked", "steps": 90, "first": 20, "sustained": 20, "t95": 30, "t95_sustained": 30,
        "t_capped": 20, "threshold": 0.9, "budget": 90, "seconds": 1.5,
        "rule": {"budget": 90, "every": 10, "threshold": 0.9, "sustain": 2, "further": -1, "measure_every": 0},
        "trained": 100, "trained_seconds": 2.0, "every": 10, "readings": [{"is": "Motion"}],
        "segments": ["curves-1"], "rows": {"curves": 10, "readings": 0, "arrays": 0},
    }  # fmt: skip


def test_what_has_no_label_is_no_outcome():
    assert Outcome.from_json({"steps": 3}) is None


@pytest.mark.parametrize(
    ("before", "label", "t_capped"),
    [
        ({"outcome": "memorised", "t95": 20}, "reached-not-held", 20),
        ({"outcome": "memorised", "t95": None}, "memorised", 40),
        ({"outcome": "diverged", "t95": 20}, "diverged", 40),
        ({"outcome": "grokked", "t95": 20, "first": 10}, "grokked", 10),
    ],
)
def test_an_outcome_of_before_is_completed_and_has_the_label_of_today(before, label, t_capped):
    outcome = Outcome.from_json({"steps": 40, "t95_sustained": 30, "budget": 40, **before})
    assert (outcome.outcome, outcome.t_capped, outcome.sustained, outcome.trained) == (label, t_capped, 30, 40)
    assert outcome.rule is None


def test_seconds_go_with_the_share_of_the_training_that_a_rule_sees():
    short = outcome_under(RULE._replace(budget=50), CURVES)
    shorter = FULL.at(short)
    assert (shorter.steps, shorter.seconds, shorter.trained) == (50, 1.0, 100)

"""The early-warning record: its scores come from its trajectories, and its words from its scores."""

from __future__ import annotations

import csv
import importlib.util
import io
import itertools
import re
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest

from anglewise.lab.engine.rng import stream
from anglewise.lab.experiments.early_warning import MODEL, TASKS
from anglewise.lab.report.table import to_csv
from anglewise.lab.studies.early_warning.analysis import PREDICTORS, study_of
from anglewise.lab.studies.early_warning.tables import all_scores

RECORD = Path(__file__).parents[2] / "records" / "early-warning"
FEW = tuple(p for p in PREDICTORS if p.name in ("base rate", "elapsed time", "radial energy"))
NOT_NUMBERS = ("2t", "t/2")
"""Parts of formulas; every other digit outside code and outside the account of the training is a field."""


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make_early_warning", RECORD / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(make):
    return make.restore(RECORD / "trajectories.parquet")


@pytest.fixture(scope="module")
def again(runs):
    """A few predictors of the primary question; all of them take a minute."""
    return study_of(runs, FEW, horizons=("doubling",))


@pytest.fixture(scope="module")
def fields(make, runs):
    return make.fields(runs)


@pytest.fixture(scope="module")
def scores(make):
    return make.scores()


def of(names, rows):
    return [row for row in rows if row["predictor"] in names and row.get("horizon", "doubling") == "doubling"]


def test_the_scores_are_made_again_from_the_trajectories(again):
    written = list(csv.DictReader(io.StringIO(to_csv(all_scores(again), digits=4))))
    record = list(csv.DictReader((RECORD / "scores.csv").read_text().splitlines()))
    assert written == of([predictor.name for predictor in FEW], record)
    assert len(written) == 9 and len(record) == 6 * len(PREDICTORS)


def test_the_false_alarms_are_made_again_from_the_trajectories(make, again, scores):
    written = list(csv.DictReader(io.StringIO(make.false_alarms(again))))
    record = list(csv.DictReader((RECORD / "false-alarms.csv").read_text().splitlines()))
    assert written and written == of([predictor.name for predictor in FEW], record)
    for name, row in scores["doubling", "tasks"].items():
        ruled = [alarm for alarm in of([name], record) if alarm["control"] == "0"]
        assert len(ruled) == round(row.false_structured.value * (row.never - row.controls))


def test_the_page_is_what_template_and_scores_give(fields):
    assert (RECORD / "README.md").read_text() == (RECORD / "readme.template.md").read_text().format(**fields)


def numbers_of_its_own(template):
    """Digits that somebody typed: outside fields, code, and the account of the training after the last code block."""
    told = template.rsplit("```", 1)[0]
    told = re.sub(r"```.*?(```|$)|`[^`]*`|\{[^}]*\}", "", told, flags=re.DOTALL)
    return [word for word in re.findall(r"[\w./%-]*\d[\w./%-]*", told) if word.strip(".") not in NOT_NUMBERS]


def test_the_template_has_no_number_of_its_own():
    template = (RECORD / "readme.template.md").read_text()
    assert numbers_of_its_own(template) == []
    assert numbers_of_its_own(template.replace("{tasks[radius].in_time}", "0 %")) == ["0"]


def test_a_number_is_written_with_its_interval_or_in_parts(make):
    number = make.Number("in_time", make.Interval(0.5, 0.25, 0.75, "jackknife"))
    assert f"{number} {number:value} {number:low} {number:high}" == "50 % [25, 75] 50 % 25 % 75 %"


def test_geometry_ranks_better_than_training_loss_at_equal_steps_on_held_out_tasks(scores):
    rows = scores["doubling", "tasks"]
    for name, row in rows.items():
        if row.kind in ("geometry", "together") or name == "weight norm":
            assert row.auc_same_step.low > max(rows["train loss"].auc_same_step.high, 0.5)
    assert rows["elapsed time"].auc_same_step[:3] == rows["elapsed time"].auc_twins[:3] == (0.5, 0.5, 0.5)


def test_between_seeds_alone_all_of_the_first_table_but_the_radius_tell_something(scores):
    rows = scores["doubling", "tasks"]
    for name in ("Fourier gain", "together", "weight norm", "radial energy", "train loss", "test loss"):
        assert rows[name].auc_twins.low > 0.5
    assert rows["radius"].auc_twins.low < 0.5 < rows["radius"].auc_twins.high


def test_no_run_with_random_labels_rang_on_held_out_tasks_and_none_in_time_for_the_radius(scores):
    rows = scores["doubling", "tasks"]
    blind = [row for row in rows.values() if row.kind in ("geometry", "rival", "together")]
    assert [row.predictor for row in blind][:: len(blind) - 1] == ["radius", "together + train loss"]
    assert all(row.false_control.value == 0 for row in blind) and rows["radius"].in_time.value == 0


def test_runs_of_equal_seed_share_first_weights_across_tasks():
    first = {
        name: jax.tree.leaves(eqx.filter(MODEL.init(task, stream(5, "init")), eqx.is_array))
        for name, task in TASKS.items()
    }
    for one, other in itertools.combinations(TASKS, 2):
        pairs = [(a, b) for a, b in zip(first[one], first[other], strict=True) if a.shape == b.shape]
        assert len(pairs) >= (len(first[one]) if TASKS[one].p == TASKS[other].p else 1)
        assert all(np.array_equal(a, b) for a, b in pairs)


def test_noise_is_not_shown_to_tell_anything(scores):
    for rows in scores.values():
        for name in ("auc_same_step", "auc_twins"):
            found = getattr(rows["noise"], name)
            assert found.low < 0.5 < found.high


def test_the_most_false_alarms_are_fourier_gain_s_on_held_out_arms(scores, fields):
    found = {(split, name): row.false_structured.value for (horizon, split), rows in scores.items()
             for name, row in rows.items() if horizon == "doubling"}  # fmt: skip
    assert max(found, key=found.get) == ("arms", "Fourier gain")
    assert 2 * fields["on_their_way"] > fields["false"]


def test_what_shows_nothing_is_said_to(scores):
    found = scores["ever", "tasks"]["Fourier gain"].false_control
    assert found.low < 0.05 and found.high > 0.95

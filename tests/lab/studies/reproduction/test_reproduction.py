"""Reproductions: what is compared with what, and what a row says."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from anglewise.cli.main import main
from anglewise.errors import SpecError
from anglewise.lab.experiments.reproduce import REPRODUCTIONS
from anglewise.lab.report.results import Ended, Results, Series
from anglewise.lab.report.table import markdown, text
from anglewise.lab.studies.reproduction.analysis import table
from anglewise.lab.studies.reproduction.plan import chosen, from_results

OURS = "ours [steps]: median [95 %] or (range)"


def row_of(found):
    shown = table([found])
    return dict(zip((column.name for column in shown.columns), map(text, shown.rows[0]), strict=True))


def results(name, crossings, outcome="generalised"):
    """Runs whose test accuracy jumps to 1 at these steps, or never."""
    experiment = REPRODUCTIONS[name].experiment
    arm, budget = experiment.arms[0].name, experiment.training.budget
    steps = np.arange(0, budget + 1)
    keys = [(arm, seed) for seed in range(len(crossings))]
    curves = {
        key: Series(steps, (steps >= (math.inf if t is None else t)).astype(float))
        for key, t in zip(keys, crossings, strict=True)
    }
    return Results(
        experiment.experiment_id, name, "", (arm,), arm, tuple(keys),
        {key: Ended(outcome, budget, 1.0, t, t) for key, t in zip(keys, crossings, strict=True)},
        {"test_accuracy": curves, "train_accuracy": {}}, {}, budget,
        threshold=experiment.training.threshold, sustain=experiment.training.sustain,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("crossings", "ratio", "same"),
    [([150, 200, 299], 1.0, True), ([330, 330, 330], 1.1, True), ([62, 62, 62], 0.5, False), ([450], 1.5, False)],
)
def test_the_ratio_is_to_the_nearer_end_of_what_was_reported(crossings, ratio, same):
    found = from_results("perpgrad", results("perpgrad", crossings))  # they report 124 to 300
    assert found.ratio == pytest.approx(ratio)
    assert found.same is same
    assert found.ours == tuple(sorted(map(float, crossings)))


def test_runs_that_never_got_there_or_diverged_count_as_beyond_the_budget():
    budget = REPRODUCTIONS["perpgrad"].experiment.training.budget
    for found in (
        from_results("perpgrad", results("perpgrad", [None, None, 200])),
        from_results("perpgrad", results("perpgrad", [200, 200, 200], "diverged")),
    ):
        assert not found.same and math.isinf(found.median.value)
        row = row_of(found)
        assert row[OURS].startswith(f"> {budget}") and row["the same?"].startswith("no")
        assert row["ours / theirs"] == "-"


def test_a_sustained_criterion_is_compared_with_the_sustained_crossing():
    made = results("muon", [5350])
    key = made.planned[0]
    made = dataclasses.replace(made, ended={key: made.ended[key]._replace(first=100)})  # a crossing that did not hold
    assert from_results("muon", made).median.value == 5350


def test_ours_has_an_interval_where_there_are_seeds_enough_and_its_range_otherwise():
    some = row_of(from_results("perpgrad", results("perpgrad", [150, 160, 165])))
    assert some[OURS] == "160 (150 to 165)"
    many = from_results("perpgrad", results("perpgrad", [150, 151, 152, 153, 154, 155, None, None]))
    assert many.median.value == 153.5 and row_of(many)[OURS].startswith("153.5 [149, > ")


def test_ours_says_how_often_it_was_evaluated():
    row = row_of(from_results("muon", results("muon", [5350])))
    assert row[OURS] == "5,350, evaluated every 50"


def test_the_median_of_runs_of_which_half_got_there_is_the_last_of_them():
    assert from_results("perpgrad", results("perpgrad", [200, None, 250, None])).median.value == 250


def test_the_table_has_a_row_per_rival():
    rows = [from_results("perpgrad", results("perpgrad", [150])), from_results("muon", results("muon", [None]))]
    lines = markdown(table(rows)).splitlines()
    assert len(lines) == 4 and all(line.count(" | ") == len(table([]).head) - 1 for line in (lines[0], *lines[2:]))


def test_an_unknown_one_is_refused(capsys):
    with pytest.raises(SpecError, match="unknown reproduction 'x'"):
        chosen(["x"])
    assert main(["reproduce", "x"]) != 0
    assert "unknown reproduction 'x'" in capsys.readouterr().err


def test_every_reproduction_says_what_it_is_compared_with():
    for made in REPRODUCTIONS.values():
        low, high = made.theirs.steps
        assert 0 < low <= high < made.experiment.training.budget * 1.01
        assert made.theirs.tolerance > 1 and made.theirs.source and made.theirs.of

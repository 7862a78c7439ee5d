"""Reproductions: what is compared with what, and what a row says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anglewise.cli import main
from anglewise.errors import SpecError
from anglewise.lab.baselines import HEAD, cells, chosen, compared, markdown
from anglewise.lab.experiments.reproduce import REPRODUCTIONS
from anglewise.lab.report.results import Ended, Results, Series


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
    found = compared("perpgrad", results("perpgrad", crossings))  # they report 124 to 300
    assert found.ratio == pytest.approx(ratio)
    assert found.same is same
    assert found.ours == tuple(sorted(map(float, crossings)))


def test_runs_that_never_got_there_or_diverged_count_as_beyond_the_budget():
    budget = REPRODUCTIONS["perpgrad"].experiment.training.budget
    for found in (
        compared("perpgrad", results("perpgrad", [None, None, 200])),
        compared("perpgrad", results("perpgrad", [200, 200, 200], "diverged")),
    ):
        assert not found.same and math.isinf(found.median)
        row = dict(zip(HEAD, cells(found), strict=True))
        assert row[HEAD[2]].startswith(f"> {budget}") and row["the same?"].startswith("no")
        assert row["ours / theirs"] == "-"


def test_a_sustained_criterion_is_compared_with_the_sustained_crossing():
    made = results("muon", [5350])
    key = made.planned[0]
    curve = made.curves["test_accuracy"][key]
    curve.values[100:103] = 1.0  # a crossing that does not hold
    assert compared("muon", made).median == 5350


def test_the_table_has_a_row_per_rival():
    rows = [compared("perpgrad", results("perpgrad", [150])), compared("muon", results("muon", [None]))]
    lines = markdown(rows).splitlines()
    assert len(lines) == 4 and all(line.count(" | ") == len(HEAD) - 1 for line in (lines[0], *lines[2:]))


def test_an_unknown_one_is_refused(capsys):
    with pytest.raises(SpecError, match="unknown reproduction 'x'"):
        chosen(["x"])
    assert main(["baselines", "x"]) != 0
    assert "unknown reproduction 'x'" in capsys.readouterr().err


def test_every_reproduction_says_what_it_is_compared_with():
    for made in REPRODUCTIONS.values():
        low, high = made.theirs.steps
        assert 0 < low <= high < made.experiment.training.budget * 1.01
        assert made.theirs.tolerance > 1 and made.theirs.source and made.theirs.of

"""Crossed settings: each effect is that of the penalty at one setting, and a run that never got there is said."""

from __future__ import annotations

import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.report.crossing import HEAD, Recipe, effects, markdown, ratio, save_figure
from anglewise.lab.report.runs import collected, read_runs, runs_of, write_runs

TIMES = {"a": 120, "a+": 60, "b-": 80, "b": 80, "c": 100, "c+": None, "d-": None, "d": 50}
RECIPES = [Recipe("first", ("a", "a+"), ("b-", "b")), Recipe("second|", ("c", "c+"), ("d-", "d"))]


@pytest.fixture
def runs(make):
    return runs_of(make(TIMES, seeds=8))


def test_an_effect_is_the_paired_ratio_at_its_own_setting(runs):
    found = effects(runs, RECIPES)
    assert [(effect.recipe, effect.found) for effect in found] == [
        ("first", "alone"), ("first", "with the penalty"), ("second|", "alone"), ("second|", "with the penalty"),
    ]  # fmt: skip
    assert found[0].speed_up.value == pytest.approx(2.0, rel=0.15) and found[0].speed_up.low > 1.5
    assert found[1].speed_up.value == pytest.approx(1.0, rel=0.1) and found[1].p_holm > 0.05
    assert found[0].medians[0].value > found[0].medians[1].value
    assert found[0].p_holm < 0.05


def test_a_run_that_never_got_there_makes_a_bound_and_is_counted(runs):
    put_in, taken_out = effects(runs, RECIPES)[2:]
    assert put_in.reached == (8, 0) and ratio(put_in).startswith("\u2264 0.5")
    assert taken_out.reached == (0, 8) and ratio(taken_out).startswith("\u2265 ")
    lines = markdown([put_in, taken_out], runs.budget).splitlines()
    assert "(0 of 8)" in lines[2] and "> 200" in lines[2] and lines[2].startswith("| second\\| |")
    assert all(line.replace("\\|", "").count("|") == len(HEAD) + 1 for line in lines)


def test_an_arm_without_finished_runs_has_no_effect(make):
    runs = runs_of(make(TIMES, seeds=2, missing=[("a+", 0), ("a+", 1)]))
    first = effects(runs, RECIPES)[0]
    assert first.n == (2, 0) and first.medians[1] is None and first.speed_up is None and ratio(first) == "\u2013"
    assert "\u2013" in markdown([first], runs.budget)


def test_a_record_gives_the_effects_of_the_store(runs):
    read = read_runs(write_runs(runs.finished))
    record = collected(read, baseline="a", budget=runs.budget, every=runs.every, planned=runs.planned)
    assert effects(record, RECIPES) == effects(runs, RECIPES)


def test_the_figure_is_drawn_and_a_strange_ending_refused(runs, tmp_path):
    found = effects(runs, RECIPES)
    for ending in ("svg", "png"):
        assert save_figure(runs, found, tmp_path / f"penalty.{ending}").stat().st_size > 1000
    with pytest.raises(AnglewiseError, match=r"penalty\.txt"):
        save_figure(runs, found, tmp_path / "penalty.txt")

"""Crossed settings: each effect is that of the penalty at one setting, and a run that never got there is said."""

from __future__ import annotations

import dataclasses

import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.report.runs import collected, read_runs, runs_of, write_runs
from anglewise.lab.report.summary import ratio
from anglewise.lab.report.table import markdown, text
from anglewise.lab.studies.penalty.analysis import FourArms, effects, table
from anglewise.lab.studies.penalty.show import save_figure

TIMES = {"a": 120, "a+": 60, "b-": 80, "b": 80, "c": 100, "c+": None, "d-": None, "d": 50}
METHODS = [FourArms("first", ("a", "a+"), ("b-", "b")), FourArms("second|", ("c", "c+"), ("d-", "d"))]


@pytest.fixture
def runs(make):
    return runs_of(make(TIMES, seeds=8))


def test_an_effect_is_the_paired_ratio_at_its_own_setting(runs):
    found = effects(runs, METHODS)
    assert [(effect.method, effect.found) for effect in found] == [
        ("first", "alone"), ("first", "with the penalty"), ("second|", "alone"), ("second|", "with the penalty"),
    ]  # fmt: skip
    first, second = (effect.sides["first"][1] for effect in found[:2])
    assert first.speed_up.value == pytest.approx(2.0, rel=0.15) and first.speed_up.low > 1.5
    assert second.speed_up.value == pytest.approx(1.0, rel=0.1) and second.p_holm.value > 0.05
    assert found[0].medians[0].value > found[0].medians[1].value
    assert first.p_holm.value < 0.05


def test_p_values_are_adjusted_over_the_table(runs):
    found = [effect.sides["first"][1] for effect in effects(runs, METHODS)]
    assert [one.p.value for one in found] == [2 / 256, found[1].p.value, 2 / 256, 2 / 256]
    assert [one.p_holm.value for one in found] == [8 / 256, found[1].p.value, 8 / 256, 8 / 256]


def test_a_run_that_never_got_there_makes_a_bound_and_is_counted(runs):
    put_in, taken_out = effects(runs, METHODS)[2:]
    assert [side.reached for side in put_in.sides["first"]] == [8, 0]
    assert str(ratio(put_in.sides["first"][1])).startswith("\u2264 0.5")
    assert [side.reached for side in taken_out.sides["first"]] == [0, 8]
    assert str(ratio(taken_out.sides["first"][1])).startswith("\u2265 ")
    lines = markdown(table([put_in, taken_out], runs)).splitlines()
    assert "(0 of 8)" in lines[2] and "> 200" in lines[2] and lines[2].startswith("| second\\| |")
    assert all(line.replace("\\|", "").count("|") == len(table([], runs).head) + 1 for line in lines)


def test_the_sustained_crossing_stands_beside_the_first(runs):
    """A gain by the first crossing that the sustained one turns into a loss."""
    lost = tuple(run._replace(sustained=None) if run.arm == "a+" and run.seed < 6 else run for run in runs.finished)
    (effect, *_) = effects(dataclasses.replace(runs, finished=lost), METHODS)
    first, sustained = effect.sides["first"][1].speed_up, effect.sides["sustained"][1].speed_up
    assert first.low > 1 > sustained.value
    shown = table([effect], runs)
    line = dict(zip((column.name for column in shown.columns), map(text, shown.rows[0]), strict=True))
    assert line["speed-up, first [95 %]"].startswith("2.0") and line["p, first (Holm)"] != line["p, sustained (Holm)"]
    assert line["speed-up, sustained [95 %]"].startswith("\u2264 0.")
    assert line["speed-up, sustained [95 %]"].endswith("(held: 8 of 8 and 2 of 8)")


def test_few_seeds_have_no_interval_of_a_median(make):
    runs = runs_of(make(TIMES, seeds=5))
    lines = markdown(table(effects(runs, METHODS), runs)).splitlines()
    assert "[0, 0]" not in "".join(lines) and "[" not in lines[2].split("|")[3]


def test_an_arm_without_finished_runs_has_no_effect(make):
    runs = runs_of(make(TIMES, seeds=2, missing=[("a+", 0), ("a+", 1)]))
    first = effects(runs, METHODS)[0]
    assert [side.finished for side in first.sides["first"]] == [2, 0] and first.medians[1] is None
    assert str(ratio(first.sides["first"][1])) == "\u2013" == text(table([first], runs).rows[0][3])


def test_an_unknown_arm_is_refused(runs):
    with pytest.raises(AnglewiseError, match=r"unknown arm 'a\+\+': did you mean 'a\+'\?"):
        effects(runs, [FourArms("first", ("a", "a++"), ("b-", "b"))])


def test_a_record_gives_the_effects_of_the_store(runs):
    read = read_runs(write_runs(runs.finished))
    record = collected(read, baseline="a", budget=runs.budget, every=runs.every, planned=runs.planned)
    assert effects(record, METHODS) == effects(runs, METHODS)


def test_the_figure_is_drawn_and_a_strange_ending_refused(runs, tmp_path):
    found = effects(runs, METHODS)
    for ending in ("svg", "png"):
        assert save_figure(runs, found, tmp_path / f"penalty.{ending}").stat().st_size > 1000
    with pytest.raises(AnglewiseError, match=r"penalty\.txt"):
        save_figure(runs, found, tmp_path / "penalty.txt")

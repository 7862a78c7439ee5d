"""The leaderboard: ranks by the criterion it names, hides no run that never got there, escapes every name."""

from __future__ import annotations

import csv
import io
import math

import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.report.results import Ended, Series
from anglewise.lab.report.runs import finishes, runs_of, write_runs
from anglewise.lab.report.table import markdown, text
from anglewise.lab.studies.leaderboard.analysis import by_criterion, published, ranking
from anglewise.lab.studies.leaderboard.analysis import rows as rows_of_runs
from anglewise.lab.studies.leaderboard.published import PUBLISHED
from anglewise.lab.studies.leaderboard.show import page, save_figure


def rows(results, samples_per_step=math.nan):
    return rows_of_runs(runs_of(results), samples_per_step)


def cells(row, budget):
    return list(map(text, ranking([row], budget).rows[0]))[1:]


TIMES = {"slow": 150, "fast": 40, "middle": 90, "never": None}


def test_arms_are_ranked_by_their_median_and_those_that_never_got_there_come_last(make):
    found = rows(make(TIMES))
    assert [row.arm for row in found] == ["fast", "middle", "slow", "never"]
    medians = [row.medians["first"].value for row in found]
    assert medians[:3] == sorted(medians[:3]) and math.isinf(medians[3])
    assert found[3].share.value == 0 and found[3].range is None and found[3].seconds is None
    assert cells(found[3], 200)[3].startswith("> 200")


def test_an_arm_that_half_its_seeds_reach_stands_behind_one_that_all_reach(make):
    results = make({"all": 100, "half": 60}, diverged=[("half", seed) for seed in range(5)])
    found = rows(results)
    assert [row.arm for row in found] == ["all", "half"]
    assert found[1].share.value == 3 / 8 and found[1].outcomes["diverged"] == 5
    assert "5 diverged" in cells(found[1], 200)[1]


def test_missing_runs_are_counted(make):
    found = rows(make({"a": 50, "b": 60}, missing=[("b", 2)]))
    assert (found[1].n, found[1].planned) == (7, 8)
    assert cells(found[1], 200)[1] == "7 of 8"


def test_lowest_after_is_the_minimum_once_sustained(make):
    results = make({"a": 50}, seeds=6)
    key, curve = ("a", 3), results.curves["test_accuracy"]["a", 3]
    fallen = curve.values.copy()
    fallen[-1] = 0.5
    changed = make({"a": 50}, seeds=6, curves=results.curves | {
        "test_accuracy": {**results.curves["test_accuracy"], key: Series(curve.steps, fallen)}
    })  # fmt: skip
    own = next(finish for finish in finishes(changed) if finish.seed == 3)
    assert own.lowest == 0.5 and own.watched > 0
    (row,) = rows(changed)
    assert row.worst == 0.5 and row.lowest > 0.9
    assert rows(results)[0].worst > 0.9  # control


def test_samples_and_seconds_follow_from_steps(make):
    (row,) = rows(make({"a": 50}), samples_per_step=100.0)
    assert row.samples == 100 * row.medians["first"].value
    assert row.seconds == pytest.approx(0.008 * row.medians["first"].value, rel=1e-6)
    assert rows(make({"a": 50}))[0].samples is None


def test_the_order_by_another_criterion_is_its_own(make):
    results = make({"quick": 40, "steady": 60}, seeds=8)
    restless = {key: run._replace(sustained=None) if key[0] == "quick" else run for key, run in results.ended.items()}
    found = rows(make({"quick": 40, "steady": 60}, seeds=8, ended=restless))
    orders = by_criterion(found)
    assert orders["first"] == ["quick", "steady"] and orders["sustained"] == ["steady"]


def test_the_record_holds_every_run(make):
    results = make(TIMES, seeds=3)
    table = list(csv.DictReader(io.StringIO(write_runs(finishes(results)))))
    assert len(table) == 12 and {row["arm"] for row in table} == set(TIMES)
    assert all(row["first"] == "" for row in table if row["arm"] == "never")


def test_markdown_numbers_only_what_is_ranked(make):
    table = ranking(rows(make(TIMES)), 200, {"fast": "closed: starts from a trained embedding"})
    lines = markdown(table).splitlines()
    assert lines[0].count("|") == len(table.head) + 1
    assert lines[2].startswith("| \u2013 | fast (closed") and lines[3].startswith("| 1 | middle")


def test_an_arm_without_runs_has_no_place(make):
    results = make({"a": 50, "b": 60, "c": 70}, seeds=2, missing=[("b", 0), ("b", 1)])
    lines = markdown(ranking(rows(results), 200)).splitlines()[2:]
    assert [line.split("|")[1].strip() for line in lines] == ["1", "2", "\u2013"]
    assert lines[2].split("|")[2].strip() == "b" and "0 of 2" in lines[2]


def test_names_are_escaped_wherever_they_are_shown(make):
    name = "<script>alert(1)</script>"
    results = make({name: 50, "b": 60}, seeds=3)
    shown = {what: {name: name} for what in ("notes", "settings", "refused")}
    html = page(results, rows(results), track="track-c2", **shown)
    assert "<script>alert" not in html and "&lt;script&gt;alert" in html


def test_the_page_shows_published_records_as_such(make):
    results = make({"a": 50, "b": 60}, seeds=3)
    html = page(results, rows(results), track="track-c2")
    assert "Published records" in html and "not comparable because" in html and "Cesista" in html
    assert "Published records" not in page(results, rows(results), track="unheard-of")
    assert published("unheard-of").rows == [] and all(PUBLISHED.values())


def test_the_figure_is_drawn_and_a_strange_ending_refused(make, tmp_path):
    results = make(TIMES, seeds=4)
    for ending in ("svg", "png"):
        assert save_figure(runs_of(results), rows(results), tmp_path / f"board.{ending}").stat().st_size > 1000
    with pytest.raises(AnglewiseError, match="board.txt"):
        save_figure(runs_of(results), rows(results), tmp_path / "board.txt")


def test_both_crossings_are_compared_with_the_baseline(make):
    results = make({"base": 100, "quick": 50, "never": None})
    restless = {
        key: run._replace(sustained=None if key[0] == "quick" and key[1] < 5 else run.sustained)
        for key, run in results.ended.items()
    }
    found = {row.arm: row for row in rows(make({"base": 100, "quick": 50, "never": None}, ended=restless))}
    first, sustained = (found["quick"].against[name] for name in ("first", "sustained"))
    assert first.speed_up.low > 1.5 and sustained.speed_up.low < 1
    head = [column.name for column in ranking([], 200).columns[1:]]
    line = dict(zip(head, cells(found["quick"], 200), strict=True))
    assert line["speed-up, first [95 %]"].startswith("1.9") and line["p, first (Holm)"] == "0.016"
    assert (
        line["speed-up, sustained [95 %]"].startswith("\u2264 0.")
        and "(held: 3 of 8)" in line["speed-up, sustained [95 %]"]
    )
    assert dict(zip(head, cells(found["base"], 200), strict=True))["speed-up, first [95 %]"] == "\u2013"


def test_an_end_that_does_not_exist_is_not_shown_as_a_number(make):
    for row in rows(make({"a": 50, "b": 60}, seeds=5)):
        assert row.medians["first"].low is None and "[" not in cells(row, 200)[3]
    for row in rows(make({"a": 50, "b": 60}, seeds=6)):
        assert "[" in cells(row, 200)[3] and "[0" not in cells(row, 200)[3]


def test_a_median_between_two_steps_is_shown_as_one(make):
    times = [126, 129, 125, 130]
    ended = {("a", seed): Ended("grokked", 180, 1.0, t, t) for seed, t in enumerate(times)}
    (row,) = rows(make({"a": 100}, seeds=4, ended=ended))
    assert cells(row, 200)[3] == "127.5"


def test_a_medians_interval_reaches_to_the_evaluation_before(make):
    (row,) = rows(make({"a": 50}, seeds=8))
    assert row.medians["first"].low == row.range[0] - 2 and row.medians["first"].high == row.range[1]

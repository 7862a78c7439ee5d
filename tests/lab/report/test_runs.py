"""Runs as a list: a record's CSV holds what the store's tables were computed from."""

from __future__ import annotations

import math

import numpy as np
import pytest

from anglewise.errors import AnglewiseError
from anglewise.lab.report.comparison import CRITERIA, compare
from anglewise.lab.report.results import Ended
from anglewise.lab.report.runs import NEEDED, Finish, collected, finishes, read_runs, runs_of, write_runs
from anglewise.lab.report.table import markdown, text
from anglewise.lab.studies.leaderboard.analysis import ranking, rows

TIMES = {"slow": 150, "fast": 40, "a, with a comma": 90, "never": None}


@pytest.fixture
def results(make):
    return make(TIMES, diverged=[("fast", 3)], missing=[("slow", 1)])


def record(results):
    planned = {arm: len(results.seeds(arm)) for arm in results.arms}
    read = read_runs(write_runs(finishes(results)))
    return collected(read, baseline=results.baseline, budget=results.budget, every=2, planned=planned)


def test_reading_what_was_written_gives_the_same_runs(results):
    assert read_runs(write_runs(finishes(results))) == finishes(results)


def test_every_digit_survives():
    run = Finish("a", 0, "grokked", 90, 0.1 + 0.2, 60, None, 70, None, float(np.float32(0.9)), 30)
    (read,) = read_runs(write_runs([run]))
    assert read == run and read.seconds == 0.1 + 0.2 != 0.3


def test_a_record_gives_the_rows_of_the_store(results):
    own, stored = rows(record(results), 10.0), rows(runs_of(results), 10.0)
    assert own == stored
    assert markdown(ranking(own, 200)) == markdown(ranking(stored, 200))


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_record_gives_the_summary_of_the_store(results, criterion):
    assert compare(record(results), criterion) == compare(runs_of(results), criterion)


def test_the_store_says_how_often_it_evaluated(results):
    assert runs_of(results).every == 2 and record(results) == runs_of(results)


def test_a_diverged_run_never_got_there(results):
    ended = {**results.ended, ("fast", 3): Ended("diverged", 66, 1.0, 30, 30)}
    own = next(
        r for r in finishes(type(results)(**{**vars(results), "ended": ended})) if (r.arm, r.seed) == ("fast", 3)
    )
    assert (own.first, own.sustained, own.first99, own.lowest, own.watched) == (None, None, None, None, 0)


def test_what_a_record_did_not_keep_is_unknown_and_not_never():
    kept = "arm,seed,outcome,steps,first,sustained\na,0,grokked,90,60,\na,1,grokked,90,62,70\n"
    read = read_runs(kept)
    assert (read[0].first, read[0].sustained, read[0].lowest, read[0].watched) == (60, None, None, 0)
    assert math.isnan(read[0].seconds) and math.isnan(read[0].first99)
    (row,) = rows(collected(read, baseline="a", budget=100, every=2))
    assert set(row.medians) == {"first", "sustained"} and row.seconds is None
    cells = list(map(text, ranking([row], 100).rows[0]))
    assert cells[7:9] == ["\u2013", "\u2013"] and cells[10] == "\u2013"


@pytest.mark.parametrize("name", NEEDED)
def test_a_record_without_a_needed_column_is_refused(name):
    head = ",".join(column for column in NEEDED if column != name)
    with pytest.raises(AnglewiseError, match=f"runs without the columns {name}: expected arm, seed"):
        read_runs(head + "\n")


@pytest.mark.parametrize("row", ["a,zero,grokked,90,60,", "a,0,grokked,90,soon,", "a,0,grokked"])
def test_a_cell_that_is_no_number_is_refused(row):
    with pytest.raises(AnglewiseError, match="line 2 of the runs: .*; expected a number there"):
        read_runs("arm,seed,outcome,steps,first,sustained\n" + row + "\n")


def test_a_baseline_without_runs_is_refused(results):
    with pytest.raises(AnglewiseError, match="no run of the baseline 'b': expected one of slow, fast"):
        collected(finishes(results), baseline="b", budget=200, every=2)


def test_a_run_that_stands_there_twice_is_refused(results):
    with pytest.raises(AnglewiseError, match="seed 0 of 'slow' has more than one row: expected one for each run"):
        collected(finishes(results) * 2, baseline="slow", budget=200, every=2)

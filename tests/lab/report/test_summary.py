import dataclasses
import io
import re

import numpy as np
import pytest
from rich.console import Console

from anglewise.lab.report.comparison import CRITERIA, adjusted, compare, seconds_per_step, summaries, time_of
from anglewise.lab.report.format import Estimate
from anglewise.lab.report.results import Ended
from anglewise.lab.report.runs import Finish, collected
from anglewise.lab.report.summary import explained, print_results, ratio, summary
from anglewise.lab.report.table import text
from anglewise.lab.stats import Interval, PValue


def printed(results, width=140, criteria=("first",)):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    print_results(results, console, criteria)
    return console.file.getvalue()


def by_arm(results, criterion="first"):
    return {s.arm: s for s in summaries(results)[criterion]}


def cells(arm, results, criterion="first"):
    return list(map(text, summary(results, criterion, [arm]).rows[0]))


def test_a_faster_arm_has_a_speed_up_above_one_and_a_slower_one_below(make):
    found = by_arm(make({"base": 100, "fast": 50, "slow": 150}))
    assert found["fast"].speed_up.low > 1 > found["slow"].speed_up.high
    assert found["base"].speed_up is None and found["base"].p is None
    assert found["fast"].p == PValue(2 / 256) and found["fast"].p_holm == PValue(4 / 256)


def test_equal_arms_have_no_speed_up(make):
    found = by_arm(make({"base": 100, "same": 100}))["same"]
    assert found.speed_up.low < 1 < found.speed_up.high and found.p.value > 0.05


def test_diverged_and_never_count_as_the_budget(make):
    found = by_arm(make({"base": 100, "never": None}, diverged=[("base", 0)]))
    assert found["never"].mean.value == 200 and found["never"].median is None
    assert found["base"].reached == 7 and found["base"].mean.value > 110
    assert found["base"].outcomes == {"grokked": 7, "diverged": 1}


def test_a_crossing_before_diverging_does_not_count():
    assert time_of(Ended("diverged", 50, 1.0, 10, None), "first") is None
    assert time_of(Ended("grokked", 50, 1.0, 0, 0), "first") == 1.0


def test_missing_runs_are_counted_and_pairs_are_only_common_seeds(make):
    found = by_arm(make({"base": 100, "arm": 80}, missing=[("base", 0), ("arm", 1), ("arm", 2)]))
    assert (found["arm"].planned, found["arm"].finished, found["arm"].missing) == (8, 6, 2)
    assert found["arm"].pairs == 5


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_table_says_what_is_missing(make, criterion):
    results = make({"base": 100, "arm": 80}, missing=[("arm", 1), ("arm", 2)])
    arms = summaries(results)[criterion]
    row = cells(arms[1], results, criterion)
    assert summary(results, criterion, arms).marked == {1}
    assert row[1] == "6 of 8 runs, 2 missing" and "(6 pairs)" in row[5]
    assert len(row) == len(summary(results, criterion, []).head)


def test_seconds_are_steps_at_the_runs_own_pace(make):
    results = make({"base": 100})
    run = results.ended["base", 0]
    assert time_of(run, "seconds") == pytest.approx(run.first * run.seconds / run.steps)
    assert seconds_per_step(Ended("diverged", 0, 0.0, None, None)) == 0


def test_unknown_seconds_do_not_hide_the_steps(make):
    results = make({"base": 100, "arm": 80})
    lost = {key: run._replace(seconds=float("nan")) for key, run in results.ended.items()}
    results = make({"base": 100, "arm": 80}, ended=lost)
    arm, timed = by_arm(results)["arm"], by_arm(results, "seconds")["arm"]
    assert arm.median == 83 and np.isnan(arm.seconds)
    assert timed.mean is None and timed.speed_up is None and np.isnan(timed.median)
    for criterion, shown in (("first", arm), ("seconds", timed)):
        assert not any("> 200" in cell for cell in cells(shown, results, criterion))
    assert printed(results)


def record(**arms):
    """Runs of arms by the steps of their crossings, by seed; None for never."""
    rows = [
        Finish(arm, seed, "grokked" if t else "memorised", 200, 1.0, t, t, t, t, None, 0)
        for arm, times in arms.items()
        for seed, t in enumerate(times)
    ]
    return collected(rows, baseline=next(iter(arms)), budget=200, every=10)


@pytest.mark.parametrize(
    ("base", "arm", "bound"),
    [
        ([100, 90], [50, 60], ""),
        ([100, 90], [50, None], "\u2264 "),
        ([None, 90], [50, 60], "\u2265 "),
        ([None, 90], [50, None], "\u2248 "),  # each on another seed
        ([None, 90], [None, 60], "\u2248 "),  # both on one seed
    ],
)
def test_runs_that_spent_their_budget_mark_the_ratio(base, arm, bound):
    found = compare(record(base=base, arm=arm))[1]
    assert found.bound == bound and str(ratio(found)).startswith(bound)
    assert not bound or bound.strip() in explained("", 10)


def test_where_neither_got_there_nothing_is_said_of_the_ratio():
    never = [None] * 8
    found = compare(record(base=never, arm=never))[1]
    assert (found.speed_up, found.p, found.p_holm, found.pairs, found.telling) == (None, None, None, 8, 0)
    assert str(ratio(found)) == "\u2013 neither reached it" and "neither reached it" in explained("", 0)


def test_a_pair_that_tells_nothing_stays_in_the_ratio_of_capped_times():
    found = compare(record(base=[100, 100, None, 100], arm=[50, 50, None, 50]))[1]
    assert found.speed_up.value == pytest.approx(2 ** (3 / 4)) and (found.pairs, found.telling) == (4, 3)


def test_arms_that_tell_nothing_do_not_count_in_holms_correction():
    never, some = [None] * 8, [50, 60, 50, 60, 50, 60, 50, 60]
    found = compare(record(base=never, arm=some, other=never))
    assert found[1].p_holm == found[1].p == PValue(2 / 256) and found[2].p_holm is None
    assert [one.p_holm for one in adjusted(found)] == [one.p_holm for one in found]


def test_the_grid_of_the_evaluations_widens_the_intervals():
    fine = dataclasses.replace(record(base=[100] * 8, arm=[50] * 8), every=0)
    exact, known = compare(fine)[1], compare(record(base=[100] * 8, arm=[50] * 8))[1]
    assert exact.speed_up.low == exact.speed_up.high and known.speed_up.low < 1.9 and known.speed_up.high > 2.2
    assert exact.mean.low == exact.mean.high and known.mean.low < 45
    seconds = compare(record(base=[100] * 8, arm=[50] * 8), "seconds")[1]  # every 10 steps is every 0.05 s
    assert seconds.speed_up.low == pytest.approx(known.speed_up.low)
    assert seconds.mean.low == pytest.approx(known.mean.low / 200)
    assert explained("Text.", 10).startswith("Evaluated every 10 steps: a crossing is known to that, and")
    assert explained("Text.", 0).startswith("Text.")


def test_many_pairs_say_that_p_is_an_upper_bound(make):
    found = compare(record(base=[100] * 41, arm=[50] * 41))[1]
    assert found.p == found.p_holm == PValue(1e-4, at_most=True)
    line = cells(found, dataclasses.replace(make({"base": 1, "arm": 1}), budget=200))
    assert line[6] == line[7] == "\u2264 0.00010"


def test_an_end_that_does_not_exist_is_not_shown_as_a_number():
    assert str(Estimate(Interval(3.0, None, None, "none"))) == "3"
    assert str(Estimate(Interval(127.5, 0.0, 200.0, "t"))) == "127.5 [0, 200]"
    assert str(Estimate(None)) == "\u2013"
    one = compare(record(base=[100, None, None], arm=[50, None, None]))[1]
    assert one.speed_up.low is None and str(ratio(one)) == "\u2248 1.26"


def test_an_unknown_criterion_is_refused():
    with pytest.raises(ValueError, match="unknown criterion 'third': expected one of first, sustained, seconds"):
        compare(record(base=[1]), "third")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_narrow_terminal_breaks_no_name_and_no_number_and_hides_no_missing_run(make, width):
    names = ("a-rather-long-baseline-name", "arm")
    text = printed(make(dict.fromkeys(names, 140) | {"arm": None}, missing=[("arm", 1)]), width, CRITERIA)
    assert text.count(f"\n{names[0]} ") == 3 and text.count("7 of 8 runs") == 3 and text.count("1 missing") == 3
    assert text.count("[63, 100]") == 3 and "8/8" in text and "> 200" in text and "\u2026" not in text


def test_a_run_has_one_table_and_others_on_request(make):
    results = make({"base": 140, "arm": 100})
    assert printed(results).count("generalised  ") == 1 and "First crossing" in printed(results)
    some = printed(results, criteria=("sustained", "seconds"))
    assert some.count("generalised  ") == 2 and "First crossing" not in some and "Sustained crossing" in some


def test_a_wide_terminal_has_one_line_for_each_arm_and_a_narrow_one_says_what_it_leaves_out(make):
    results = make({"base": 140, "arm": 100})
    (line,) = (line for line in printed(results, 160).splitlines() if re.match("arm .*8/8", line))
    assert line.count("[") == 3
    long = make({"a-baseline-with-a-name-of-forty-letters": 140, "arm": 100})
    assert "left out, too wide for here: restricted mean" in printed(long, 80)
    assert "left out" not in printed(long, 160)


def test_only_marks_that_a_table_has_are_explained(make):
    assert "at most this" not in printed(make({"base": 140, "arm": 100}))
    assert "\u2264: only the arm's runs spent their budget" in printed(make({"base": 100, "arm": None}))


def test_hostile_names_stay_text_in_a_terminal(make):
    text = printed(make({"[bold red]x[/]": 100, "a\x9b31mb\u202e": 90}, title="[link=http://x]t[/link]"))
    assert "[bold red]x[/]" in text and "\x9b" not in text and "\u202e" not in text
    assert "[link=http://x]t[/link]" in text


def test_half_of_exchangeable_experiments_favour_either_arm(make):
    rng = np.random.default_rng(0)
    wins = 0
    for _ in range(40):
        ended = {
            (a, s): Ended("grokked", 100, 1.0, int(t), int(t))
            for a in "xy"
            for s, t in enumerate(rng.integers(50, 99, 8))
        }
        wins += by_arm(make({"x": 1, "y": 1}, ended=ended))["y"].speed_up.value > 1
    assert 10 <= wins <= 30

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from anglewise.lab.report.results import Ended
from anglewise.lab.report.summary import CRITERIA, cells, columns, seconds_per_step, summarise, time_of
from anglewise.lab.report.tables import print_results
from anglewise.lab.report.verdict import verdict


def printed(results, width=140):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    print_results(results, console)
    return console.file.getvalue()


def by_arm(results, criterion="first"):
    return {s.arm: s for s in summarise(results, criterion)}


def test_a_faster_arm_has_a_speed_up_above_one_and_a_slower_one_below(make):
    found = by_arm(make({"base": 100, "fast": 50, "slow": 150}))
    assert found["fast"].speed_up.low > 1 > found["slow"].speed_up.high
    assert found["base"].speed_up is None and found["base"].p is None
    assert found["fast"].p == 2 / 256 and found["fast"].p_holm == 4 / 256


def test_equal_arms_have_no_speed_up(make):
    found = by_arm(make({"base": 100, "same": 100}))["same"]
    assert found.speed_up.low < 1 < found.speed_up.high and found.p > 0.05


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
    row = cells(summarise(results, criterion)[1], results, criterion)
    assert row[1] == "6 of 8 runs, 2 missing" and "(6 pairs)" in row[5]
    assert len(row) == len(columns(criterion))


def test_seconds_are_steps_at_the_runs_own_pace(make):
    results = make({"base": 100})
    run = results.ended["base", 0]
    assert time_of(run, "seconds") == pytest.approx(run.first * run.seconds / run.steps)
    assert seconds_per_step(Ended("diverged", 0, 0.0, None, None)) == 0


def test_unknown_seconds_do_not_hide_the_steps(make):
    results = make({"base": 100, "arm": 80})
    lost = {key: run._replace(seconds=float("nan")) for key, run in results.ended.items()}
    results = make({"base": 100, "arm": 80}, ended=lost)
    assert by_arm(results)["arm"].median == 80 or by_arm(results)["arm"].seconds is None
    assert by_arm(results, "seconds")["arm"].mean is None
    assert printed(results)


def test_only_one_side_censored_marks_a_bound(make):
    assert by_arm(make({"base": 100, "never": None}))["never"].bound == "\u2264 "
    assert by_arm(make({"never": None, "arm": 100}))["arm"].bound == "\u2265 "
    assert by_arm(make({"never": None, "nor": None}))["nor"].bound == ""


def test_an_unknown_criterion_is_refused(make):
    with pytest.raises(ValueError, match="unknown criterion 'third': expected one of first, sustained, seconds"):
        summarise(make(), "third")


def test_the_verdict_names_the_winner_with_n_interval_and_p(make):
    line = verdict(make({"base": 100, "fast": 50}))[0]
    assert "“fast” generalised 1.95 times" in line and "8 paired seeds" in line and "95 % interval" in line


def test_a_sure_gain_goes_before_a_larger_one_that_was_not_shown(make):
    results = make({"base": 100, "bold": 30, "sure": 80})
    ended = dict(results.ended)
    for seed in (0, 1, 2):
        ended["bold", seed] = ended["bold", seed]._replace(first=190, sustained=190)
    mixed = dataclasses.replace(results, ended=ended)
    found = by_arm(mixed)
    assert found["bold"].speed_up.value > found["sure"].speed_up.value and found["bold"].p_holm > 0.05
    assert verdict(mixed)[0].startswith("“sure” generalised") and "Shown to be faster too" not in verdict(mixed)[0]
    assert "Shown to be faster too: “sure”." in verdict(results)[0]


def test_the_verdict_claims_nothing_where_nothing_was_shown(make):
    assert verdict(make({"base": 100, "same": 100}))[0].startswith("No arm was shown to be faster")


def test_too_few_pairs_are_said_to_be_too_few(make):
    line = verdict(make({"base": 100, "fast": 50}, seeds=3))[0]
    assert line.startswith("No arm was shown") and "3 pairs cannot give less than 0.25" in line


def test_one_seed_is_an_illustration(make):
    for arms in ({"base": 100}, {"base": 100, "fast": 50}):
        assert verdict(make(arms, seeds=1))[0].startswith("Illustration, one seed")
    assert "illustration" in printed(make({"base": 100}, seeds=1))


def test_the_verdict_says_what_is_missing_and_that_none_has_finished(make):
    runs = [("base", s) for s in range(8)]
    assert verdict(make({"base": 100}, missing=runs)) == ["No run has finished yet: 0 of 8 planned."]
    assert "1 of 16 runs are missing: “arm” 1 of 8." in verdict(make({"base": 1, "arm": 1}, missing=[("arm", 0)]))


def test_no_run_getting_there_is_a_result(make):
    assert (
        verdict(make({"base": None, "arm": None}))[0] == "No run reached 95 % test accuracy within 200 steps (n = 16)."
    )


def test_rankings_that_depend_on_the_criterion_are_said_to(make):
    results = make({"base": 100, "fast": 90})
    slow = {k: r._replace(seconds=r.seconds * (9 if k[0] == "fast" else 1)) for k, r in results.ended.items()}
    lines = verdict(make({"base": 100, "fast": 90}, ended=slow))
    assert any("The criterion matters" in line and "by seconds, “base”" in line for line in lines)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_narrow_terminal_loses_no_number_and_no_missing_run(make, width):
    text = printed(make({"a-rather-long-baseline-name": 140, "arm": None}, missing=[("arm", 1)]), width)
    assert text.count("7 of 8 runs") == 3 and text.count("1 missing") == 3 and "\u2026" not in text
    assert text.count("[68\u2013100 %]") == 3 and "8/8" in text and "> 200" in text


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

import dataclasses
import io
import re

import numpy as np
import pytest
from rich.console import Console

from anglewise.lab.report.comparison import CRITERIA, adjusted, compare, seconds_per_step, summaries, time_of
from anglewise.lab.report.format import Estimate
from anglewise.lab.report.headline import headline
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
    line = cells(found, dataclasses.replace(make({"base": 1}), budget=200))
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


def test_the_headline_names_the_winner_with_n_interval_and_p(make):
    line = headline(make({"base": 100, "fast": 50}))[0]
    assert "“fast” generalised 1.95 times" in line and "8 paired seeds" in line and "95 % interval" in line


def test_a_sure_gain_goes_before_a_larger_one_that_was_not_shown(make):
    results = make({"base": 100, "bold": 30, "sure": 80})
    ended = dict(results.ended)
    for seed in (0, 1, 2):
        ended["bold", seed] = ended["bold", seed]._replace(first=190, sustained=190)
    mixed = dataclasses.replace(results, ended=ended)
    found = by_arm(mixed)
    assert found["bold"].speed_up.value > found["sure"].speed_up.value and found["bold"].p_holm.value > 0.05
    assert headline(mixed)[0].startswith("“sure” generalised") and "Also shown to be faster" not in headline(mixed)[0]
    assert "Also shown to be faster: “sure”." in headline(results)[0]


def test_the_headline_calls_nothing_faster_whose_interval_holds_one(make):
    """Few pairs of which half tell nothing: p may be small where the ratio is not certain, and the other way round."""
    results = make({"base": 100, "arm": 50}, seeds=4)
    table = summaries(results)["first"]
    unsure = table[1].speed_up._replace(low=0.98)
    for changes, claimed in (
        ({"p_holm": PValue(0.01)}, True),
        ({"p_holm": PValue(0.01), "speed_up": unsure}, False),
        ({"p_holm": PValue(0.01), "speed_up": table[1].speed_up._replace(low=None, high=None)}, False),
        ({"p_holm": PValue(0.06)}, False),
    ):
        tables = {criterion: [table[0], dataclasses.replace(table[1], **changes)] for criterion in CRITERIA}
        assert headline(results, tables)[0].startswith("\u201carm\u201d generalised") == claimed


def test_the_headline_says_which_arms_were_not_compared(make):
    lines = headline(make({"base": None, "arm": 50, "nor": None}))
    assert lines[0].startswith("\u201carm\u201d generalised at least 4.0") and "counts as the budget" in lines[0]
    assert "Not compared with the baseline: \u201cnor\u201d. There is no pair in which either arm got there" in lines[2]


def test_the_headline_says_that_p_is_an_upper_bound(make):
    assert "p \u2264 0.00010 after Holm" in headline(make({"base": 100, "fast": 50}, seeds=41))[0]


def test_an_order_of_means_that_may_be_chance_is_said_to_be(make):
    assert any("their order may be chance" in line for line in headline(make({"base": 100, "same": 100})))
    assert not any("chance" in line for line in headline(make({"base": 100, "fast": 50})))


def test_no_arm_leads_a_criterion_that_no_run_met(make):
    results = make({"base": 100, "fast": 50})
    ended = {key: run._replace(sustained=None) for key, run in results.ended.items()}
    line = next(line for line in headline(dataclasses.replace(results, ended=ended)) if "smallest" in line)
    assert "sustained" not in line and line.startswith("By first crossing and seconds alike")


def test_the_headline_claims_nothing_where_nothing_was_shown(make):
    assert headline(make({"base": 100, "same": 100}))[0].startswith("No arm was shown to be faster")


def test_too_few_pairs_are_said_to_be_too_few(make):
    line = headline(make({"base": 100, "fast": 50}, seeds=3))[0]
    assert line.startswith("No arm was shown") and "3 pairs cannot give less than 0.25" in line


def test_one_seed_is_an_illustration(make):
    for arms in ({"base": 100}, {"base": 100, "fast": 50}):
        assert headline(make(arms, seeds=1))[0].startswith("Illustration, one seed")
    assert "illustration" in printed(make({"base": 100}, seeds=1))


def test_the_headline_says_what_is_missing_and_that_none_has_finished(make):
    runs = [("base", s) for s in range(8)]
    assert headline(make({"base": 100}, missing=runs)) == ["No run has finished yet: 0 of 8 planned."]
    assert "1 of 16 runs are missing: “arm” 1 of 8." in headline(make({"base": 1, "arm": 1}, missing=[("arm", 0)]))


def test_no_run_getting_there_is_a_result(make):
    assert (
        headline(make({"base": None, "arm": None}))[0] == "No run reached 95 % test accuracy within 200 steps (n = 16)."
    )


def test_rankings_that_depend_on_the_criterion_are_said_to(make):
    results = make({"base": 100, "fast": 90})
    slow = {k: r._replace(seconds=r.seconds * (9 if k[0] == "fast" else 1)) for k, r in results.ended.items()}
    lines = headline(make({"base": 100, "fast": 90}, ended=slow))
    assert any("The criterion matters" in line and "by seconds, “base”" in line for line in lines)


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

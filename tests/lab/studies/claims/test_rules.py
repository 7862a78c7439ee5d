"""Rules: the word of samples whose answer is known, and how often chance alone would get a word."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from anglewise.errors import AnglewiseError, SpecError
from anglewise.lab.stats import Interval
from anglewise.lab.studies.claims.decision import Rule, margin
from anglewise.lab.studies.claims.reading_rules import Close, Level, Ratio, Read
from anglewise.lab.studies.claims.rows import Curve
from anglewise.lab.studies.claims.rules import AllOf, AtLeast, Generalises, Sooner  # fmt: skip
from tests.support.claim_rows import BUDGET, GONE, STEADY, N, log_normal, read, readings, sample_of, times


def decided(rule, base, arm, least=N, **fields):
    return rule.decide(sample_of({"base": base, "arm": arm}, **fields), least)


SOONER = Sooner("arm", "base", claimed=3.0, least=1.5)


@pytest.mark.parametrize(
    ("ratio", "word"), [(4.0, "supported"), (3.3, "supported"), (2.5, "refuted"), (1.0, "refuted"), (0.2, "refuted")]
)
def test_a_clear_ratio_is_decided(ratio, word):
    decision = decided(SOONER, times(2000 * ratio), times(2000, STEADY[::-1]))
    assert decision.word == word and decision.n == N and not decision.bound and not decision.needs
    assert decision.estimate.value == pytest.approx(ratio, rel=0.01)
    assert "'arm' was" in decision.says and "times as fast as 'base'" in decision.says


def test_the_ratio_is_the_geometric_mean_with_students_interval_on_the_logarithm():
    rng = np.random.default_rng(0)
    found = log_normal(rng, {"base": 3e6, "arm": 1e6}, N, budget=1e9)
    estimate = Sooner("arm", "base", 3.0).decide(sample_of(found, budget=10**9), N).estimate
    z = np.log(np.array(found["base"]) / np.array(found["arm"]))
    half = stats.t.ppf(0.975, N - 1) * z.std(ddof=1) / math.sqrt(N)
    want = np.exp([z.mean(), z.mean() - half, z.mean() + half])
    np.testing.assert_allclose(estimate[:3], want, rtol=1e-4)


def test_an_interval_that_holds_the_claimed_ratio_decides_nothing():
    decision = decided(SOONER, [3000 * 2, 3000 * 4] * 5, [3000] * N, budget=10**6)
    assert decision.word == "inconclusive" and decision.needs == "more seeds: the interval holds 3"


def test_a_large_ratio_with_an_interval_that_reaches_the_least_is_not_supported():
    decision = decided(SOONER, [1000 * x for x in (1, 1, 1, 1, 1, 1, 1, 60, 60, 60)], [1000] * N, budget=10**6)
    assert decision.estimate.value > 3 and decision.estimate.low < 1.5
    assert decision.word == "inconclusive" and decision.needs.startswith("more seeds")


@pytest.mark.parametrize(
    ("base", "arm", "word", "bound"),
    [
        ([None] * N, times(1000), "supported", ">= "),  # at least 10
        ([None] * N, times(8000), "inconclusive", ">= "),  # at least 1.25, perhaps more than 3
        (times(9000), [None] * N, "refuted", "<= "),
        (times(9000), [*times(8000)[:9], None], "refuted", "<= "),
        (times(9000), [*times(1000)[:9], None], "inconclusive", "<= "),  # at most 7
        ([*times(9000)[:9], None], [*times(1000)[:9], None], "inconclusive", "~ "),
        ([*times(1000)[:9], None], [*times(1000)[:9], None], "inconclusive", "~ "),
        ([*times(9000)[:9], None], times(1000), "supported", ">= "),
        ([*times(1000)[:9], None], times(1000), "inconclusive", ">= "),
    ],
)
def test_a_run_that_spent_its_budget_makes_a_bound(base, arm, word, bound):
    decision = decided(SOONER, base, arm)
    assert (decision.word, decision.bound) == (word, bound)
    assert f"was {bound}" in decision.says and "did not generalise in 1,000 epochs" in decision.says
    assert (word == "inconclusive") == bool(decision.needs)


def test_a_bound_asks_for_a_larger_budget_where_only_that_is_lacking():
    decision = decided(SOONER, [*times(1000)[:9], None], times(1000))
    assert decision.needs == "a budget of more than 1,000 epochs: runs of an arm spent it"


def test_where_no_run_generalised_there_is_no_number():
    decision = decided(SOONER, [None] * N, [None] * N)
    assert decision.word == "inconclusive" and decision.estimate is None
    assert decision.says == "No run of 'arm' or 'base' generalised in 1,000 epochs."
    assert decision.needs.startswith("a budget of more than 1,000 epochs")
    decision = decided(SOONER, [None] * N, [*[None] * 9, GONE])
    assert decision.needs == "the missing runs: arm, seed 9"


def test_a_run_that_diverged_never_generalised():
    runs = {"base": times(9000), "arm": times(1000)}
    decision = SOONER.decide(sample_of(runs, outcome="diverged"), N)
    assert decision.estimate is None and decision.word == "inconclusive"


def test_the_crossing_that_is_asked_for_counts():
    first = Sooner("arm", "base", claimed=3.0, crossing="first")
    runs = {"base": times(9000), "arm": times(1000)}
    lost = sample_of(runs, sustained=None)
    assert first.decide(lost, N).word == "supported"
    assert SOONER.decide(lost, N).estimate is None


EVERY_RULE = {
    "sooner": SOONER,
    "generalises": Generalises("arm", 0.9),
    "ratio": Ratio(Read("test_loss"), "arm", "base", 1.0, larger=True),
    "close": Close(Read("test_loss"), "arm", "base", 1.2),
    "level": Level(Read("test_loss"), "arm", 1.0, larger=True),
    "all": AllOf((("s", SOONER), ("g", Generalises("base", 0.5)))),
    "at least": AtLeast(1, (("s", SOONER), ("g", Generalises("base", 0.5)))),
}


@pytest.mark.parametrize("name", EVERY_RULE)
def test_a_missing_run_decides_nothing_and_is_named(name):
    rule = EVERY_RULE[name]
    assert isinstance(rule, Rule)
    whole = {"base": times(9000), "arm": times(1000)}
    for count, more in ((1, ""), (3, " and 2 more")):
        cut = {"base": times(9000), "arm": [*times(1000)[: N - count], *[GONE] * count]}
        decision = rule.decide(sample_of(cut), 3)
        assert decision.word == "inconclusive"
        assert f"the missing runs: arm, seed {N - count}{more}" in decision.needs
    assert "missing" not in rule.decide(sample_of(whole), 3).needs  # control


@pytest.mark.parametrize("name", EVERY_RULE)
def test_too_few_seeds_decide_nothing(name):
    few = sample_of({"base": times(9000)[:4], "arm": times(1000)[:4]})
    decision = EVERY_RULE[name].decide(few, N)
    assert decision.word == "inconclusive" and "10 paired seeds, there are 4" in decision.needs


@pytest.mark.parametrize("name", EVERY_RULE)
def test_without_any_run_there_is_no_number(name):
    decision = EVERY_RULE[name].decide(sample_of({"base": [GONE] * N, "arm": [GONE] * N}), N)
    assert decision.word == "inconclusive" and decision.estimate is None
    assert "the missing runs: base, seed 0 and" in decision.needs or "the missing runs: arm, seed 0" in decision.needs


def test_an_arm_that_was_not_planned_is_an_error():
    with pytest.raises(AnglewiseError, match="unknown arm 'amr': did you mean 'arm'"):
        Sooner("amr", "base", 1.0).decide(sample_of({"base": [10], "arm": [10]}), 1)


def rates(ratio, rule, datasets, seed, *, budget, spread=0.3, own=0.2, n=N):
    """Shares of simulated data sets that get each word at a true ratio of times."""
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(datasets):
        found = log_normal(rng, {"base": 600.0, "arm": 600.0 / ratio}, n, budget=budget, spread=spread, own=own)
        words.append(rule.decide(sample_of(found, budget=budget), n).word)
    return {word: words.count(word) / datasets for word in ("supported", "refuted", "inconclusive")}


BUDGETS = {"none": 10**6, "cuts the baseline": 700, "cuts both": 450}


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("own", [0.03, 0.3])
def test_an_effect_at_the_margin_is_seldom_found_or_denied(budget, own):
    """2.5 % of data sets by the interval; the limit allows three standard errors of the count."""
    limit = 0.025 + 3 * math.sqrt(0.025 * 0.975 / 400)
    at_least = rates(1.5, Sooner("arm", "base", 1.5, 1.5), 400, 1, budget=BUDGETS[budget], own=own)
    assert at_least["supported"] <= limit and at_least["refuted"] <= limit
    at_claimed = rates(1.5, Sooner("arm", "base", 1.5, 1.0), 400, 2, budget=BUDGETS[budget], own=own)
    assert at_claimed["refuted"] <= limit
    if budget == "none":
        assert at_claimed["supported"] > 0.3  # by design: the estimate alone must reach what was claimed


def test_control_a_large_effect_is_found_and_none_is_denied():
    rule = Sooner("arm", "base", 1.5, 1.0)
    assert rates(2.5, rule, 100, 3, budget=10**6)["supported"] > 0.95
    assert rates(0.8, rule, 100, 4, budget=10**6)["refuted"] > 0.95


@pytest.mark.parametrize(
    ("did", "kind", "share", "word"),
    [
        (10, "does", 0.9, "supported"), (9, "does", 0.9, "supported"), (8, "does", 0.9, "inconclusive"),
        (4, "does", 0.9, "refuted"), (0, "does", 0.9, "refuted"), (0, "does not", 0.9, "supported"),
        (1, "does not", 0.9, "supported"), (3, "does not", 0.9, "inconclusive"), (10, "does not", 0.9, "refuted"),
        (9, "does", 1.0, "refuted"),
    ],
)  # fmt: skip
def test_a_share_of_runs_is_decided_by_its_exact_interval(did, kind, share, word):
    decision = Generalises("arm", share, kind).decide(sample_of({"arm": [100] * did + [None] * (N - did)}), N)
    count = did if kind == "does" else N - did
    low, high = stats.binomtest(count, N).proportion_ci(method="exact")
    assert decision.estimate.value == count / N
    np.testing.assert_allclose(decision.estimate[1:3], (low, high))
    assert decision.word == word and (word == "refuted") == (high < share)
    assert decision.says == f"{did} of 10 runs of 'arm' generalised within 1,000 epochs."


CURVE = Curve(np.array([0, 10, 20, 30]), np.array([4.0, 1.0, np.nan, 3.0]))


@pytest.mark.parametrize(("at", "value"), [("start", 4.0), ("early", 1.0), ("mean", 2.0), ("end", 3.0)])
def test_a_reading_is_taken_when_it_says(at, value):
    assert Read("x", at=at).of(CURVE) == value
    assert Read("x_y", "s", at).called.startswith("x y at s, ")


def test_what_was_not_read_is_no_number():
    one, lost = Curve(np.array([0]), np.array([4.0])), Curve(np.array([0, 10]), np.array([np.nan, np.nan]))
    assert Read("x", at="start").of(one) == Read("x").of(one) == 4.0
    assert all(math.isnan(Read("x", at=at).of(one)) for at in ("early", "mean"))
    assert all(math.isnan(Read("x", at=at).of(lost)) for at in ("start", "early", "mean", "end"))


@pytest.mark.parametrize(
    ("arm", "claimed", "larger", "word"),
    [
        (2.0, 1.5, True, "supported"), (2.0, 3.0, True, "refuted"), (0.4, 0.5, False, "supported"),
        (0.6, 0.5, False, "refuted"), (2.0, 2.005, True, "inconclusive"), (0.5, 0.499, False, "inconclusive"),
    ],
)  # fmt: skip
def test_a_ratio_of_readings_is_decided(arm, claimed, larger, word):
    base, own = np.array(STEADY), arm * np.array(STEADY[::-1])
    decision = Ratio(Read("x"), "arm", "base", claimed, larger).decide(readings({"base": base, "arm": own}), N)
    z = np.log(own / base)
    assert decision.word == word and decision.estimate.value == pytest.approx(math.exp(z.mean()))
    half = stats.t.ppf(0.975, N - 1) * z.std(ddof=1) / math.sqrt(N)
    np.testing.assert_allclose(decision.estimate[1:3], np.exp([z.mean() - half, z.mean() + half]))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_a_reading_that_is_no_number_leaves_a_pair_too_few(bad):
    arm = [2 * x for x in STEADY]
    assert Ratio(Read("x"), "arm", "base", 1.5, True).decide(readings({"base": STEADY, "arm": arm}), N).n == N
    arm[3] = bad
    decision = Ratio(Read("x"), "arm", "base", 1.5, True).decide(readings({"base": STEADY, "arm": arm}), N)
    assert decision.word == "inconclusive" and decision.needs == "10 paired seeds, there are 9"
    if not math.isfinite(bad):
        decision = Level(Read("x"), "arm", 1.5, True).decide(readings({"arm": arm}), N)
        assert decision.word == "inconclusive" and decision.needs == "10 paired seeds, there are 9"


@pytest.mark.parametrize(
    ("ratio", "word"),
    [
        (1.0, "supported"),
        (1.1, "supported"),
        (1.4, "refuted"),
        (0.7, "refuted"),
        (1.25, "inconclusive"),
        (0.81, "inconclusive"),
    ],
)
def test_readings_are_alike_within_a_factor(ratio, word):
    arm = [ratio * x for x in STEADY[::-1]]
    decision = Close(Read("x"), "arm", "base", 1.25).decide(readings({"base": STEADY, "arm": arm}), N)
    assert decision.word == word and bool(decision.needs) == (word == "inconclusive")


@pytest.mark.parametrize(
    ("mean", "larger", "word"),
    [(2.0, True, "supported"), (0.5, True, "refuted"), (0.5, False, "supported"), (2.0, False, "refuted"),
     (1.001, True, "inconclusive")],
)  # fmt: skip
def test_a_level_is_decided_by_the_mean(mean, larger, word):
    arm = [mean * x / 3 for x in STEADY]
    rule = Level(Read("x"), "arm", 1.0, larger, factor=3.0, unit="apples")
    decision = rule.decide(readings({"arm": arm}), N)
    assert (decision.word, decision.unit) == (word, "apples")
    half = stats.t.ppf(0.975, N - 1) * np.std(3 * np.array(arm), ddof=1) / math.sqrt(N)
    center = 3 * np.mean(arm)
    np.testing.assert_allclose(decision.estimate[:3], (center, center - half, center + half))


def test_a_level_may_be_negative_and_cannot_be_read_at_equal_loss():
    assert (
        Level(Read("x"), "arm", -1.0, False).decide(readings({"arm": [-2 * x for x in STEADY]}), N).word == "supported"
    )
    with pytest.raises(SpecError, match="x of one arm cannot be read at equal loss, which takes two: use Ratio"):
        Level(Read("x", at="equal loss"), "arm", 1.0, True)


def test_ratios_and_levels_cover_their_truth():
    """95 % of intervals hold the truth; three standard errors of the count are allowed."""
    rng, held, n = np.random.default_rng(5), {"ratio": 0, "level": 0}, 500
    for _ in range(n):
        base, arm = np.exp(0.4 * rng.standard_normal(N)), 2 * np.exp(0.5 * rng.standard_normal(N))
        ratio = Ratio(Read("x"), "arm", "base", 1.0, True).decide(readings({"base": base, "arm": arm}), N).estimate
        level = Level(Read("x"), "arm", 1.0, True).decide(readings({"arm": 3 + rng.standard_normal(N)}), N).estimate
        held["ratio"] += ratio.low <= 2 <= ratio.high
        held["level"] += level.low <= 3 <= level.high
    for count in held.values():
        assert abs(count / n - 0.95) < 3 * math.sqrt(0.95 * 0.05 / n)


def matched(base, arm, losses):
    """A sample with curves of a reading and of the training loss, alike for all seeds."""
    values = []
    for seed in range(N):
        for name, points in (("base", base), ("arm", arm)):
            values += read(name, seed, "x", points) + read(name, seed, "hessian_loss", losses[name])
    return sample_of({"base": [100] * N, "arm": [100] * N}, values)


RULE = Ratio(Read("x", at="equal loss"), "arm", "base", 1.0, True)


def test_equal_loss_is_the_least_that_both_arms_reach():
    base, arm = {0: 1.0, 10: 2.0, 20: 4.0}, {0: 3.0, 10: 30.0, 20: 300.0}
    losses = {"base": {0: 2.0, 10: 0.5, 20: 0.4}, "arm": {0: 2.0, 10: 0.4, 20: 0.1}}
    # the least that both reach is 0.4: the baseline at step 20, the arm at step 10
    decision = RULE.decide(matched(base, arm, losses), N)
    assert decision.estimate.value == pytest.approx(30 / 4) and decision.n == N
    assert "at equal training loss" in decision.unit


def test_equal_loss_bears_losses_and_readings_that_are_no_numbers():
    base, arm = {0: 1.0, 10: 2.0, 20: 4.0}, {0: 3.0, 10: 30.0, 20: 300.0}
    nan = math.nan
    losses = {"base": {0: nan, 10: 0.5, 20: 0.4}, "arm": {0: 2.0, 10: 0.4, 20: nan}}
    assert RULE.decide(matched(base, arm, losses), N).estimate.value == pytest.approx(30 / 4)
    gone = {"base": {0: nan, 10: nan, 20: nan}, "arm": losses["arm"]}
    assert RULE.decide(matched(base, arm, gone), N).estimate is None
    lost = RULE.decide(matched(base, arm | {10: nan}, losses), N)
    assert lost.estimate is None and lost.word == "inconclusive"


def test_equal_loss_needs_losses_and_a_reading_at_that_step():
    base, arm = {0: 1.0, 10: 2.0}, {0: 3.0, 10: 30.0}
    without = sample_of(
        {"base": [100] * N, "arm": [100] * N},
        [v for s in range(N) for v in read("base", s, "x", base) + read("arm", s, "x", arm)],
    )
    assert RULE.decide(without, N).estimate is None
    losses = {"base": {0: 2.0, 5: 0.5}, "arm": {0: 2.0, 5: 0.5}}
    assert RULE.decide(matched(base, arm, losses), N).estimate is None


FASTER, SLOWER = Sooner("arm", "base", 2.0), Sooner("base", "arm", 2.0)
UNSURE = Sooner("noisy", "base", 1.0)


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        (AllOf((("a", FASTER), ("b", FASTER))), "supported"),
        (AllOf((("a", FASTER), ("b", SLOWER))), "refuted"),
        (AllOf((("a", FASTER), ("b", UNSURE))), "inconclusive"),
        (AllOf((("a", SLOWER), ("b", UNSURE))), "refuted"),
        (AtLeast(1, (("a", FASTER), ("b", SLOWER))), "supported"),
        (AtLeast(2, (("a", FASTER), ("b", SLOWER))), "refuted"),
        (AtLeast(2, (("a", FASTER), ("b", SLOWER), ("c", UNSURE))), "inconclusive"),
        (AtLeast(1, (("a", SLOWER), ("b", SLOWER), ("c", UNSURE))), "inconclusive"),
        (AtLeast(2, (("a", SLOWER), ("b", SLOWER), ("c", FASTER))), "refuted"),
    ],
)
def test_parts_decide_the_whole(rule, word):
    runs = {"base": times(3000), "arm": times(1000), "noisy": [1000, 9000] * 5}
    decision = rule.decide(sample_of(runs), N)
    assert decision.word == word
    assert [name for name, _ in decision.parts] == [name for name, _ in rule.parts]
    assert set(rule.arms) == {arm for _, part in rule.parts for arm in part.arms} and len(set(rule.arms)) == len(
        rule.arms
    )
    assert ("c: more seeds" in decision.needs or "b: more seeds" in decision.needs) == (word == "inconclusive")


def test_a_missing_run_of_any_part_leaves_the_whole_undecided():
    runs = {"base": times(3000), "arm": times(1000), "noisy": [1000] * 9 + [GONE]}
    for rule in (AllOf((("a", SLOWER), ("b", UNSURE))), AtLeast(1, (("a", FASTER), ("b", UNSURE)))):
        decision = rule.decide(sample_of(runs), N)
        assert decision.word == "inconclusive" and decision.needs == "b: the missing runs: noisy, seed 9"


def test_without_an_interval_there_is_no_word():
    assert margin(Interval(5.0, None, None, "none"), 1.0, 1.0) == "inconclusive"
    assert margin(Interval(3.0, 2.0, 4.0, "t"), 3.0, 2.0) == "inconclusive"  # the interval must lie beyond, not on it
    assert margin(Interval(2.0, 1.0, 3.0, "t"), 3.0, 0.5) == "inconclusive"


def test_budgets_are_told_in_epochs():
    assert BUDGET / 10 == 1000
    assert "1,000 epochs" in decided(SOONER, [None] * N, times(1000)).says

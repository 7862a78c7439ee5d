"""Rules of more than two arms: known answers, and how often chance alone would get them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from anglewise.lab.studies.claims.comparisons import Alike, Apart, Halves, Interaction, Interior, Precedes, Selected
from anglewise.lab.studies.claims.decision import Rule
from tests.support.claim_rows import GONE, STEADY, N, log_normal, read, sample_of, times

WIDE = 10**6
"""A budget that cuts nothing off."""


@pytest.mark.parametrize(
    ("base", "arm", "word"),
    [
        (times(2000), times(2000, STEADY[::-1]), "supported"),
        (times(2000), times(1800), "supported"),
        (times(2000), times(4000), "refuted"),
        (times(4000), times(2000), "refuted"),
        (times(2500), times(2000), "inconclusive"),
        ([None] * N, times(2000), "refuted"),  # at least 5 times as fast
        (times(2000), [None] * N, "refuted"),  # at most .2 times as fast
        ([None] * N, times(9900), "inconclusive"),  # about as fast, or faster
        ([*times(2000)[:9], None], times(2000), "inconclusive"),
        ([*times(2000)[:9], None], [*times(2000)[:9], None], "inconclusive"),
    ],
)
def test_times_are_alike_within_a_factor(base, arm, word):
    decision = Alike("arm", "base", 1.25).decide(sample_of({"base": base, "arm": arm}), N)
    assert decision.word == word and bool(decision.needs) == (word == "inconclusive")
    if word == "inconclusive":
        cut = None in base or None in arm
        assert ("a larger budget" if cut else "more seeds: the interval crosses an end") in decision.needs


def test_nothing_is_alike_where_nothing_generalised():
    decision = Alike("arm", "base", 1.25).decide(sample_of({"base": [None] * N, "arm": [None] * N}), N)
    assert decision.word == "inconclusive" and decision.estimate is None and "a budget of more" in decision.needs


SELECTED = Selected(("a1", "a2"), ("b1", "b2"), selection=3, claimed=2.0, least=1.5)


def test_each_side_chooses_on_the_first_seeds_and_the_others_decide():
    # b1 and a2 are faster on the first three seeds, and the slower ones of their families on all others
    runs = {
        "b1": [1000] * 3 + times(9000), "b2": [2000] * 3 + times(8000),
        "a1": [2000] * 3 + times(1000), "a2": [1000] * 3 + times(3000, STEADY[::-1]),
    }  # fmt: skip
    decision = SELECTED.decide(sample_of(runs), N)
    assert decision.word == "supported" and decision.n == N
    assert decision.estimate.value == pytest.approx(3.0, rel=0.01)  # not 8 or 9, and not the first seeds' 1
    assert decision.says.startswith("On 3 seeds 'b1' was the fastest of 2 and 'a2' of 2. On 10 others: 'a2' was 3")


def test_of_equal_arms_the_first_is_chosen_and_an_arm_that_never_generalises_last():
    runs = {"b1": [None] * 13, "b2": [500] * 13, "a1": [400] * 13, "a2": [400] * 13}
    decision = SELECTED.decide(sample_of(runs), N)
    assert "'b2' was the fastest of 2 and 'a1' of 2" in decision.says
    runs |= {"b2": [None] * 13}
    decision = SELECTED.decide(sample_of(runs), N)
    assert "'b1' was the fastest of 2" in decision.says and decision.bound == ">= "


def test_an_arm_that_is_chosen_on_both_sides_is_as_fast_as_itself():
    rule = Selected(("b1",), ("b1", "b2"), 3, 1 / 1.1, 1 / 1.1)
    decision = rule.decide(sample_of({"b1": [500] * 13, "b2": [900] * 13}), N)
    assert decision.estimate.value == 1.0 and decision.word == "supported"
    decision = rule.decide(sample_of({"b1": [900] * 13, "b2": [500] * 13}), N)
    assert decision.estimate.value == pytest.approx(5 / 9) and decision.word == "refuted"


def test_selection_takes_the_median_of_its_seeds():
    runs = {"b1": [10, 900, 900] + [500] * N, "b2": [800] * 13, "a1": [500] * 13, "a2": [500] * 13}
    assert "'b2' was the fastest of 2" in SELECTED.decide(sample_of(runs), N).says


@pytest.mark.parametrize("seed", [0, 12])
@pytest.mark.parametrize("arm", ["a1", "b2"])
def test_a_missing_run_of_any_arm_leaves_a_selection_undecided(arm, seed):
    runs = {"b1": [900] * 13, "b2": [1000] * 13, "a1": [150] * 13, "a2": [100] * 13}
    assert SELECTED.decide(sample_of(runs), N).word == "supported"  # control
    runs[arm] = [GONE if s == seed else t for s, t in enumerate(runs[arm])]
    decision = SELECTED.decide(sample_of(runs), N)
    assert decision.word == "inconclusive" and decision.needs == f"the missing runs: {arm}, seed {seed}"


def test_a_selection_needs_ten_seeds_that_did_not_choose():
    runs = {"b1": [900] * 12, "b2": [1000] * 12, "a1": [150] * 12, "a2": [100] * 12}
    decision = SELECTED.decide(sample_of(runs), N)
    assert decision.word == "inconclusive" and decision.needs == "10 paired seeds, there are 9"


def simulated(rule, medians, n, datasets, seed, *, budget=WIDE, least=N, **fields):
    """Decisions of a rule on simulated data sets."""
    rng = np.random.default_rng(seed)
    found = [log_normal(rng, medians, n, budget=budget, **fields) for _ in range(datasets)]
    return [rule.decide(sample_of(runs, budget=budget), least) for runs in found]


def covers(estimates, truth):
    """Share of the intervals that hold the truth."""
    return float(np.mean([e.low <= truth <= e.high for e in estimates]))


def allowed(p, n):
    """Three standard errors of a share."""
    return 3 * math.sqrt(p * (1 - p) / n)


def test_choosing_the_best_of_four_does_not_bias_the_comparison():
    arms = {f"{side}{k}": 800.0 for side in "ab" for k in range(4)}
    rule = Selected(tuple(a for a in arms if a[0] == "a"), tuple(a for a in arms if a[0] == "b"), 3, 1.0)
    decisions = simulated(rule, arms, 13, 300, 0, spread=0.1, own=0.4)
    logs = np.log([d.estimate.value for d in decisions])
    assert abs(logs.mean()) < 3 * logs.std(ddof=1) / math.sqrt(len(logs))
    assert abs(covers([d.estimate for d in decisions], 1.0) - 0.95) < allowed(0.95, 300)


def test_control_a_family_of_one_against_the_best_of_four_on_deciding_seeds_would_be_biased():
    """The first three seeds do favour what they choose: they must not decide."""
    rng = np.random.default_rng(1)
    chosen = []
    for _ in range(200):
        runs = log_normal(rng, {f"b{k}": 800.0 for k in range(4)}, 3, budget=WIDE, spread=0.1, own=0.4)
        chosen.append(min(math.log(float(np.median(t)) / 800) for t in runs.values()))
    assert np.mean(chosen) < -0.1


SWEEP = ("low", "mid", "high")
INTERIOR = Interior(SWEEP, "mid")


@pytest.mark.parametrize(
    ("low", "mid", "high", "word"),
    [
        (times(3000), times(1000), times(4000), "supported"),
        (times(3000), times(1000), [None] * N, "supported"),
        (times(900), times(1000), times(4000), "refuted"),
        (times(4000), times(1000), times(900), "refuted"),
        ([None] * N, times(1000), times(900), "refuted"),
        ([900, 1100] * 5, times(1000), times(4000), "inconclusive"),
        (times(3000), [None] * N, times(4000), "refuted"),
        ([None] * N, [None] * N, [None] * N, "inconclusive"),
    ],
)
def test_the_best_of_a_sweep_is_faster_than_both_ends(low, mid, high, word):
    decision = INTERIOR.decide(sample_of({"low": low, "mid": mid, "high": high}), N)
    assert decision.word == word and bool(decision.needs) == (word == "inconclusive")
    assert [name for name, _ in decision.parts] == ["low", "high"] and "Median steps: 'low' " in decision.says


def test_a_missing_run_inside_the_sweep_leaves_it_undecided():
    runs = {"low": times(3000), "between": [500] * 9 + [GONE], "mid": times(1000), "high": times(3000)}
    decision = Interior(tuple(runs), "mid").decide(sample_of(runs), N)
    assert decision.word == "inconclusive" and decision.needs == "the missing runs: between, seed 9"


INTERACTION = Interaction(("c", "d"), ("a", "b"), claimed=0.8)


@pytest.mark.parametrize(
    ("here", "there", "word"), [(1.0, 2.0, "supported"), (2.0, 2.0, "refuted"), (3.0, 2.0, "refuted"), (0.8, 1.0, "")]
)
def test_an_interaction_is_the_ratio_of_two_speed_ups(here, there, word):
    runs = {"a": times(1000 * there), "b": times(1000, STEADY[::-1]), "c": times(1000 * here), "d": times(1000)}
    decision = INTERACTION.decide(sample_of(runs), N)
    assert decision.word == (word or "inconclusive") and bool(decision.needs) == (not word)
    z = np.log(np.array(runs["c"]) / runs["d"]) - np.log(np.array(runs["a"]) / runs["b"])
    half = stats.t.ppf(0.975, N - 1) * z.std(ddof=1) / math.sqrt(N)
    np.testing.assert_allclose(decision.estimate[:3], np.exp([z.mean(), z.mean() - half, z.mean() + half]))


def test_an_interaction_counts_seeds_on_which_all_four_generalised():
    runs = {"a": times(4000), "b": times(1000), "c": times(1000), "d": [*times(1000)[:9], None]}
    decision = INTERACTION.decide(sample_of(runs), N)
    assert decision.n == 9 and decision.needs == "10 paired seeds, there are 9"
    assert INTERACTION.decide(sample_of(runs | {"d": [None] * N}), N).estimate is None


def test_the_interval_of_an_interaction_covers():
    medians = {"a": 8000.0, "b": 4000.0, "c": 6000.0, "d": 2000.0}
    decisions = simulated(INTERACTION, medians, N, 400, 2)
    assert abs(covers([d.estimate for d in decisions], 1.5) - 0.95) < allowed(0.95, 400)


def events(reaches, crossings):
    """Runs with a value that is measured every 100 steps and passes the level at some step."""
    values = [
        v
        for s, at in enumerate(reaches)
        for v in read("arm", s, "x", {step: float(step >= at) for step in range(0, 1001, 100)})
    ]
    return sample_of({"arm": crossings}, values)


PRECEDES = Precedes("x", "", 0.5, "arm")


@pytest.mark.parametrize(
    ("reach", "crossing", "before"),
    [
        (300, 500, True), (500, 500, True), (600, 500, False), (500, 410, True), (500, 401, True), (600, 410, False),
        (500, 400, False), (2000, 500, False), (0, 10, True), (1000, 5000, True),
    ],
)  # fmt: skip
def test_an_event_is_known_at_the_measurement_at_or_after_the_crossing(reach, crossing, before):
    decision = PRECEDES.decide(events([reach] * N, [crossing] * N), N)
    assert decision.word == ("supported" if before else "refuted")
    assert decision.says.startswith(f"In {N if before else 0} of 10 runs of 'arm' that generalised, x reached 0.5")


def test_one_run_in_the_wrong_order_refutes_always_and_not_mostly():
    sample = events([600] + [300] * 9, [500] * N)
    assert PRECEDES.decide(sample, N).word == "refuted"
    assert Precedes("x", "", 0.5, "arm", 0.9).decide(sample, N).word == "supported"
    sample = events([600] * 2 + [300] * 8, [500] * N)
    mostly = Precedes("x", "", 0.5, "arm", 0.9).decide(sample, N)
    assert mostly.word == "inconclusive" and mostly.needs == "more seeds: the interval holds 0.900"


def test_the_order_is_asked_of_runs_that_generalised():
    decision = PRECEDES.decide(events([300] * N, [500] * 9 + [None]), N)
    assert decision.n == 9 and decision.needs == "10 paired seeds, there are 9"
    assert PRECEDES.decide(events([300] * N, [None] * N), N).estimate is None
    assert PRECEDES.decide(sample_of({"arm": [500] * N}), N).estimate is None  # nothing was read


HALVES = Halves("arm")


def test_halves_of_one_arm_are_compared_in_order():
    first, second = times(2000), times(1000, STEADY[::-1])
    decision = HALVES.decide(sample_of({"arm": first + second}), N)
    assert decision.word == "refuted" and decision.n == N
    want = math.exp(np.mean(np.log(np.array(first) / np.array(second))))
    assert decision.estimate.value == pytest.approx(want)
    alike = HALVES.decide(sample_of({"arm": first + first[::-1]}), N)
    assert alike.word == "supported" and "'arm, second half' was" in alike.says
    assert HALVES.decide(sample_of({"arm": [None] * 20}), N).word == "inconclusive"


def test_halves_name_a_missing_run_by_its_own_seed():
    decision = HALVES.decide(sample_of({"arm": [1000] * 17 + [GONE] + [1000] * 2}), N)
    assert decision.word == "inconclusive" and decision.needs == "the missing runs: arm, seed 17"
    decision = HALVES.decide(sample_of({"arm": [1000] * 18}), N)
    assert decision.word == "inconclusive" and decision.needs == "10 paired seeds, there are 9"


@pytest.mark.parametrize("budget", [WIDE, 900])
def test_halves_find_by_chance_what_the_interval_allows(budget):
    decisions = simulated(HALVES, {"arm": 600.0}, 20, 400, 3, budget=budget)
    found = np.mean([d.word == "refuted" for d in decisions])
    assert found < 0.05 + allowed(0.05, 400)
    if budget == WIDE:
        assert found > 0.05 - allowed(0.05, 400)  # no less: the interval is not too wide


APART = Apart("auc", "radius", "loss", "area")


def recorded(above, below, seeds=N):
    """A sample as another record's scores give it: value, low, high of each."""
    values = []
    for arm, three in (("radius", above), ("loss", below)):
        for name, x in zip(("auc", "auc_low", "auc_high"), three, strict=True):
            values += read(arm, 0, name, x)
        values += read(arm, 0, "seeds", float(seeds))
    return sample_of({"radius": [GONE] * N, "loss": [GONE] * N}, values)


@pytest.mark.parametrize(
    ("above", "below", "word"),
    [
        ((0.9, 0.85, 0.95), (0.7, 0.6, 0.8), "supported"),
        ((0.7, 0.6, 0.8), (0.9, 0.85, 0.95), "refuted"),
        ((0.9, 0.75, 0.95), (0.7, 0.6, 0.8), "inconclusive"),
        ((0.9, math.nan, 0.95), (0.7, 0.6, 0.8), "inconclusive"),
    ],
)
def test_recorded_estimates_are_apart_where_intervals_do_not_overlap(above, below, word):
    decision = APART.decide(recorded(above, below), N)
    assert decision.word == word and decision.estimate[:2] == pytest.approx(above[:2], nan_ok=True)
    assert decision.needs == ("more seeds: the intervals overlap" if word == "inconclusive" else "")


def test_recorded_estimates_of_too_few_seeds_decide_nothing():
    decision = APART.decide(recorded((0.9, 0.85, 0.95), (0.7, 0.6, 0.8), seeds=8), N)
    assert decision.word == "inconclusive" and decision.needs == "10 seeds, there are 8"
    nothing = APART.decide(sample_of({"radius": [GONE] * N, "loss": [GONE] * N}), N)
    assert nothing.word == "inconclusive" and nothing.needs == "the record"


@pytest.mark.parametrize("rule", [Alike("arm", "base", 1.2), SELECTED, INTERIOR, INTERACTION, PRECEDES, HALVES, APART])
def test_without_any_run_nothing_is_decided(rule):
    assert isinstance(rule, Rule)
    decision = rule.decide(sample_of({arm: [GONE] * N for arm in rule.arms}), N)
    assert decision.word == "inconclusive" and decision.estimate is None and decision.needs


@pytest.mark.parametrize("rule", [Alike("arm", "base", 1.2), INTERIOR, INTERACTION, PRECEDES])
def test_a_missing_run_leaves_every_comparison_undecided(rule):
    runs = {arm: [*times(1000)[:9], GONE] for arm in rule.arms}
    values = [v for s in range(9) for v in read("arm", s, "x", {0: 1.0})]
    decision = rule.decide(sample_of(runs, values), 3)
    assert decision.word == "inconclusive" and decision.needs.startswith(f"the missing runs: {rule.arms[0]}, seed 9")

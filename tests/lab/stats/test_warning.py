import dataclasses
import math

import numpy as np
import pytest

from anglewise.lab.stats.alarm import conformal, judge
from anglewise.lab.stats.warning import NOISE, STEP, Measure, Predictor, Trajectory, features, points_of
from anglewise.lab.stats.warning_score import evaluate

BUDGET, EVERY = 2000, 20
SCALES = {"a": 300, "b": 600, "c": 900, "random": None}
PLANTED = Predictor("planted", "geometry", (Measure("planted", log=False),))
TIME = Predictor("elapsed time", "baseline", (Measure(STEP),))
NOTHING = Predictor("noise", "baseline", (Measure(NOISE, log=False),))
CONSTANT = Predictor("base rate", "baseline", ())


def family(lead=0.4, seeds=8, arms=3, scales=SCALES, rng=0, noise=0.3):
    """Runs whose series jumps by 3 a share `lead` of the time to generalise before it; every fourth never does."""
    rng = np.random.default_rng(rng)
    runs = []
    for task, scale in scales.items():
        for arm in range(arms):
            for seed in range(seeds):
                never = scale is None or (seed + arm) % 4 == 0
                time = None if never else float(EVERY * round(scale * rng.uniform(0.8, 1.25) / EVERY))
                steps = np.arange(0, BUDGET // 2 + 1, EVERY)
                steps = steps if time is None else steps[steps < time]
                jump = np.zeros(len(steps)) if time is None else 3.0 * (steps >= (1 - lead) * time)
                series = {("planted", "h"): jump + rng.normal(0, noise, len(steps))}
                runs.append(Trajectory(task, f"arm {arm}", seed, steps, series, time, BUDGET, control=scale is None))
    return runs


@pytest.mark.parametrize("split", ["seeds", "arms", "tasks"])
@pytest.mark.parametrize("lead", [0.2, 0.4])
def test_a_planted_predictor_is_found_with_its_lead(split, lead):
    score = evaluate(family(lead), PLANTED, split)
    assert score.in_time.value > 0.9 and score.too_early.value < 0.1
    assert score.lead_share.value == pytest.approx(lead, abs=0.05)
    assert score.lead_share.low <= lead + 0.01 and score.lead_share.high >= lead - 0.05
    assert score.false_structured.value < 0.15 and score.false_control.value < 0.15
    assert score.auc_same_step.value > 0.6 and score.auc_same_step.low > 0.5


@pytest.mark.parametrize("split", ["seeds", "arms", "tasks"])
def test_noise_tells_nothing_and_rings_no_more_often_before_than_without_generalising(split):
    found = []
    for k in range(6):
        rng = np.random.default_rng(1000 + k)
        runs = [
            dataclasses.replace(run, series={("planted", "h"): rng.normal(size=len(run.steps))})
            for run in family(rng=k, seeds=12)
        ]
        found.append(evaluate(runs, PLANTED, split, most=0))
    # over 25 draws the mean was 0.48 to 0.50 and the spread of one draw 0.05
    assert np.mean([score.auc_same_step.value for score in found]) == pytest.approx(0.5, abs=0.07)
    assert np.mean([score.auc.value for score in found]) == pytest.approx(0.5, abs=0.07)
    rang = np.mean([score.in_time.value + score.too_early.value for score in found])
    false = np.mean([score.false_structured.value for score in found])
    assert rang < 0.08 and false < 0.08 and abs(rang - false) < 0.06
    assert all(score.lead.value == -math.inf for score in found)


def test_the_noise_series_differs_from_run_to_run_and_is_the_same_every_time():
    a, b = family()[1:3]
    x, y, again = (features(run, NOTHING, {NOISE: [""]}) for run in (a, b, a))
    n = min(len(x), len(y))
    np.testing.assert_array_equal(x, again)
    assert not np.any(x[:n, 0] == y[:n, 0])


@pytest.mark.parametrize("split", ["seeds", "tasks"])
def test_time_alone_ranks_no_pair_at_the_same_step_and_never_rings(split):
    score = evaluate(family(), TIME, split)
    assert score.auc_same_step.value == score.auc_same_step.low == score.auc_same_step.high == 0.5
    assert score.auc_same_step.method == "exact" and score.auc.method == "jackknife"
    assert score.in_time.value == score.too_early.value == 0


def test_over_all_steps_time_alone_seems_to_know_much():
    quick = [run for run in family() if run.time is not None]
    score = evaluate(quick, TIME, "seeds", most=0)
    assert score.auc.value > 0.65 and score.auc_same_step.value == 0.5


def test_the_base_rate_says_one_half_everywhere():
    score = evaluate(family(), CONSTANT, "tasks", most=0)
    assert score.auc.value == score.auc_same_step.value == 0.5
    assert score.in_time.value == 0 and score.false_control.value == 0


def test_a_predictor_that_knows_the_task_by_heart_is_of_no_use_on_another():
    runs = []
    for run in family(noise=0.0, lead=0.0):
        mark = {"a": 1.0, "b": -2.0, "c": 5.0, "random": 0.0}[run.task] * (run.time is not None)
        runs.append(dataclasses.replace(run, series={("planted", "h"): np.full(len(run.steps), mark)}))
    seen, unseen = (evaluate(runs, PLANTED, split, "ever", most=0) for split in ("seeds", "tasks"))
    assert unseen.auc_same_step.value < seen.auc_same_step.value


def test_nothing_after_a_step_changes_what_is_said_at_it():
    run = family()[1]
    changed = dataclasses.replace(run, series={("planted", "h"): run.series["planted", "h"].copy()})
    cut = 9
    changed.series["planted", "h"][cut + 1 :] = 1e6
    before = run.watched <= cut
    x, z = (features(r, PLANTED, {"planted": ["h"]}) for r in (run, changed))
    assert before.any() and not before.all()
    np.testing.assert_array_equal(x[before], z[before])
    assert not np.array_equal(x[~before], z[~before])


def test_features_match_the_obvious_reference():
    run = family()[1]
    values, expected = run.series["planted", "h"].copy(), []
    values[[0, 5]] = np.nan
    run = dataclasses.replace(run, series={("planted", "h"): values})
    for i in run.watched:
        past = [v for v in values[: i + 1] if np.isfinite(v)]
        half = [v for t, v in zip(run.steps, values, strict=True) if t <= run.steps[i] / 2 and np.isfinite(v)]
        expected.append([past[-1], past[-1] - half[-1], past[-1] - past[0]])
    np.testing.assert_allclose(features(run, PLANTED, {"planted": ["h"]}), expected)


def test_a_run_is_watched_before_it_generalises_and_within_half_its_budget():
    for run in family():
        t = run.steps[run.watched]
        assert t[0] == 4 * EVERY and t[-1] <= BUDGET / 2 and (run.time is None or t[-1] < run.time)


def test_every_run_with_the_series_is_scored_once_and_those_without_are_left_out():
    runs = family()
    bare = [dataclasses.replace(run, series={}) if run.task == "a" else run for run in runs]
    score = evaluate(bare, PLANTED, "seeds", most=0)
    assert score.generalised + score.never == sum(run.task != "a" for run in runs) == len(score.alarms)
    assert score.controls == sum(run.control for run in runs)


@pytest.mark.parametrize("split", ["seeds", "arms", "tasks"])
def test_how_held_out_runs_ended_does_not_change_their_own_alarms(split):
    def held(run):
        return {"seeds": run.seed % 4 == 1, "arms": run.arm == "arm 1", "tasks": run.task == "b"}[split]

    runs = family()
    lied = [dataclasses.replace(run, time=None) if held(run) else run for run in runs]
    honest, other = (evaluate(some, PLANTED, split, most=0).alarms for some in (runs, lied))
    pairs = [(s, t) for (run, s), (_, t) in zip(honest, other, strict=True) if held(run)]
    assert any(s is not None for s, _ in pairs) and all(s == t for s, t in pairs)


def test_the_threshold_keeps_its_promise_on_exchangeable_runs():
    rng = np.random.default_rng(0)
    rates = [np.mean(rng.normal(size=200) > conformal(rng.normal(size=39), 0.05)) for _ in range(400)]
    assert np.mean(rates) == pytest.approx(0.05, abs=0.006)


def test_too_few_runs_to_set_an_alarm_set_none():
    few = [run for run in family() if run.task == "a" or run.seed < 4]
    few = [run for run in few if run.time is not None or (run.seed in (0, 4) and run.arm == "arm 0")]
    assert conformal([0.1] * 18, 0.05) == math.inf
    assert evaluate(few, PLANTED, "seeds", most=0).in_time.value == 0


def test_three_groups_are_needed():
    with pytest.raises(ValueError, match="needs runs of at least 3 tasks that have 'planted', got 2"):
        evaluate([run for run in family() if run.task in ("a", "b")], PLANTED, "tasks")


def test_two_groups_are_too_few_to_judge():
    runs = [run for run in family() if run.task in ("a", "b", "c")]
    points, kept = points_of(runs, PLANTED, "doubling"), np.array([run.task != "c" for run in runs])
    group = np.array(["abc".index(run.task) for run in runs])
    with pytest.raises(ValueError, match="expected runs of at least 3 groups to hold out in turn, got 2"):
        judge(points, group, np.array([run.time is None for run in runs]), kept, 0.05)


def test_leaving_out_a_seed_is_the_study_without_its_runs():
    runs = family()
    points, kept = points_of(runs, PLANTED, "doubling"), np.array([run.seed != 3 for run in runs])
    group = np.unique([run.task for run in runs], return_inverse=True)[1]
    without = judge(points, group, np.array([run.time is None for run in runs]), kept, 0.05)
    alone = evaluate([run for run in runs if run.seed != 3], PLANTED, "tasks", most=0)
    np.testing.assert_array_equal(without.alarm[kept], [np.nan if t is None else t for _, t in alone.alarms])
    assert np.isnan(without.alarm[~kept]).all() and np.isnan(without.probability[~kept[points.run]]).all()


def test_intervals_rest_on_as_many_seeds_as_there_are():
    found = {n: evaluate(family(seeds=n), PLANTED, "tasks") for n in (1, 3, 8)}
    assert [found[n].seeds for n in found] == [0, 3, 8]
    assert found[1].in_time.low is None and found[1].auc.method == "none" and found[1].lead.low is None
    width = {n: found[n].auc_same_step.high - found[n].auc_same_step.low for n in (3, 8)}
    assert width[3] > width[8] > 0


def test_three_quarters_of_seeds_cannot_spare_one_so_there_is_no_interval():
    score = evaluate(family(seeds=3), PLANTED, "seeds")
    assert score.seeds == 0 and score.auc.value > 0.5 and score.auc.low is None


def test_an_alarm_that_never_rang_may_still_ring_for_other_seeds():
    found = evaluate(family(), TIME, "tasks").in_time
    assert found.value == found.low == 0 and found.high == pytest.approx(1 - 0.025 ** (1 / 8))


def test_a_missed_run_counts_as_less_than_any_lead():
    few = [dataclasses.replace(run, series={("planted", "h"): np.zeros(len(run.steps))}) if run.seed % 2 else run
           for run in family()]  # fmt: skip
    score = evaluate(few, PLANTED, "tasks")
    assert 0.3 < score.in_time.value + score.too_early.value < 0.7
    assert score.lead.value == -math.inf or score.lead.low == -math.inf

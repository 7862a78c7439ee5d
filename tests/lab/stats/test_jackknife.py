import numpy as np
import pytest
from scipy import stats

from anglewise.lab.stats.estimate import censored_median
from anglewise.lab.stats.jackknife import jackknife_median, jackknife_share, seed_groups


def leave_one_out(values, statistic):
    return [statistic(np.delete(values, i)) for i in range(len(values))]


def test_runs_of_a_seed_stay_together_and_groups_have_as_many_seeds():
    seeds = np.tile(np.arange(100, 145), 3)
    found = seed_groups(seeds, most=20)
    assert len(np.unique(found)) == 15 and all(len(np.unique(found[seeds == s])) == 1 for s in seeds)
    assert {len(np.unique(seeds[found == g])) for g in range(15)} == {3}


def test_few_seeds_are_a_group_each():
    assert seed_groups([4, 0, 4, 9]).tolist() == [1, 0, 1, 2]


def test_of_a_mean_of_independent_values_it_is_nearly_student_s_interval():
    values = np.random.default_rng(0).beta(40, 40, size=200)
    found = jackknife_share(values.mean(), leave_one_out(values, np.mean))
    low, high = stats.t.interval(0.95, 199, values.mean(), values.std(ddof=1) / np.sqrt(200))
    assert found.low == pytest.approx(low, abs=2e-4) and found.high == pytest.approx(high, abs=2e-4)


def test_of_independent_successes_it_is_nearly_clopper_and_pearson_s():
    values = np.r_[np.ones(60), np.zeros(140)]
    found = jackknife_share(0.3, leave_one_out(values, np.mean))
    exact = stats.binomtest(60, 200).proportion_ci()
    assert found.low == pytest.approx(exact.low, abs=0.002) and found.high == pytest.approx(exact.high, abs=0.002)


@pytest.mark.parametrize("groups", [2, 4, 8])
def test_where_all_or_nothing_happened_groups_count_as_single_trials(groups):
    never, always = (jackknife_share(value, [value] * groups) for value in (0.0, 1.0))
    exact = stats.binomtest(0, groups).proportion_ci()
    assert (never.low, never.high) == (0.0, pytest.approx(exact.high))
    assert (always.low, always.high) == (pytest.approx(1 - exact.high), 1.0)


def test_a_share_of_none_that_is_some_without_a_group_reaches_at_least_as_far():
    steady, shaky = jackknife_share(0.0, [0.0] * 8), jackknife_share(0.0, [0.0] * 7 + [0.9])
    assert shaky.low == 0.0 and shaky.high > steady.high


def test_seeds_that_agree_by_luck_are_worth_no_more_than_their_runs():
    """A tenth of the runs of each of eight seeds: no spread at all, yet ten runs each."""
    exact = stats.binomtest(8, 80).proportion_ci()
    found = jackknife_share(0.1, [0.1] * 7 + [0.1001], 80)
    assert (found.low, found.high) == (pytest.approx(exact.low), pytest.approx(exact.high))
    assert jackknife_share(0.1, [0.1] * 7 + [0.1001]).high < 0.11


def test_ends_stay_inside_however_the_groups_differ():
    found = jackknife_share(0.98, [0.2, 0.99, 0.99, 0.99])
    assert 0 <= found.low < 0.5 and 0.98 < found.high <= 1


def test_what_does_not_exist_without_a_group_has_no_interval():
    assert jackknife_share(0.4, [0.3, np.nan, 0.5])[1:] == (None, None, "none")
    assert jackknife_share(0.4, [0.3])[1:] == (None, None, "none")
    assert jackknife_median(np.arange(3.0), [np.arange(2.0), np.array([])])[1:] == (None, None, "none")
    assert jackknife_median(np.arange(3.0), [])[1:] == (None, None, "none")


@pytest.mark.parametrize("n", [9, 20, 61])
def test_of_independent_values_the_median_s_interval_is_nearly_that_of_order_statistics(n):
    values = np.sort(np.random.default_rng(n).normal(size=n))
    found = jackknife_median(values, [np.delete(values, i) for i in range(n)])
    below = int(stats.binom.ppf(0.025, n, 0.5))  # ends are the below-th from either side
    assert found.value == pytest.approx(np.median(values))
    assert abs(np.searchsorted(values, found.low) - (below - 1)) <= 2
    assert abs(np.searchsorted(values, found.high) - (n - below)) <= 2


def test_seeds_that_resemble_each_other_less_than_their_runs_widen_the_median_s_interval():
    rng = np.random.default_rng(0)
    seed = np.repeat(np.arange(8), 15)
    alone = rng.normal(size=120)
    for values, width in ((alone, 0.8), (0.3 * alone + np.repeat(rng.normal(size=8), 15), 1.2)):
        found = jackknife_median(values, [values[seed != s] for s in range(8)])
        assert (found.high - found.low > 1.2) == (width == 1.2)


def test_a_median_of_mostly_missed_is_missed_and_says_how_far_it_could_go():
    values = np.r_[np.full(13, -np.inf), np.arange(1.0, 12.0)]
    groups = np.arange(24) % 8
    found = jackknife_median(values, [values[groups != g] for g in range(8)])
    assert found.value == found.low == -np.inf and np.isfinite(found.high)


def test_the_median_is_the_project_s_own():
    for values in ([30, 10, 20, -np.inf], [-np.inf, -np.inf, 20], [-np.inf, 3, 4, -np.inf]):
        found = censored_median([None if v == -np.inf else -v for v in values])
        assert jackknife_median(np.array(values, float), []).value == (-np.inf if found is None else -found)


@pytest.mark.parametrize("groups", [3, 5, 6])
def test_fewer_than_six_groups_that_agree_do_not_bound_a_median(groups):
    found = jackknife_median(np.full(60, -np.inf), [np.full(50, -np.inf)] * groups)
    assert found.value == -np.inf and found.method == ("jackknife" if groups == 6 else "none")
    assert found.high == (-np.inf if groups == 6 else None)


def test_few_groups_bound_a_median_where_they_show_how_they_differ():
    values, seed = np.random.default_rng(0).normal(size=200), np.arange(200) % 4
    found = jackknife_median(values, [values[seed != s] for s in range(4)])
    assert values.min() < found.low < 0 < found.high < values.max()

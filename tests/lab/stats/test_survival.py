import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anglewise.lab.stats import capped, kaplan_meier, logrank, restricted_mean, share

TIMES = st.lists(st.one_of(st.none(), st.integers(0, 300)), min_size=1, max_size=20)


def product_limit(times, budget):
    """Kaplan and Meier's product, one factor per distinct time of an event."""
    events = sorted({t for t in times if t is not None and t <= budget})
    values = [budget + 1 if t is None or t > budget else t for t in times]
    share, curve = 1.0, {}
    for t in events:
        share *= 1 - sum(v == t for v in values) / sum(v >= t for v in values)
        curve[t] = share
    return curve


@given(TIMES)
def test_the_curve_is_the_product_limit(times):
    curve = kaplan_meier(times, 200)
    found = dict(zip(curve.times, curve.share, strict=True))
    for t, remaining in product_limit(times, 200).items():
        if t > 0:
            assert found[t] == pytest.approx(remaining, abs=1e-12)


@given(TIMES)
def test_the_curve_falls_from_one_to_the_censored_share(times):
    curve = kaplan_meier(times, 200)
    assert curve.times[0] == 0 and curve.times[-1] == 200 and curve.share[0] == 1
    assert np.all(np.diff(curve.share) <= 0) and np.all(np.diff(curve.times) >= 0)
    assert curve.share[-1] == pytest.approx(curve.censored / curve.n)


@given(TIMES)
def test_the_restricted_mean_is_the_area_under_the_curve(times):
    curve = kaplan_meier(times, 200)
    area = float(np.sum(np.diff(curve.times) * curve.share[:-1]))
    assert restricted_mean(times, 200).value == pytest.approx(area)


@given(TIMES, st.sampled_from([0, 3, 40]))
def test_the_interval_of_a_restricted_mean_holds_it_and_stays_within_the_budget(times, grid):
    found = restricted_mean(times, 200, grid=grid)
    if len(times) == 1:
        assert (found.low, found.high, found.method) == (None, None, "none")
    else:
        assert 0 <= found.low <= found.value <= found.high <= 200


def test_where_all_got_there_the_interval_is_students():
    times = [80.0, 100.0, 130.0, 90.0]
    found, own = restricted_mean(times, 1000), stats.ttest_1samp(times, 0).confidence_interval()
    assert found.method == "t"
    np.testing.assert_allclose([found.low, found.high], [own.low, own.high])


def test_where_none_got_there_only_the_share_is_known():
    found = restricted_mean([None] * 5, 200)
    assert found == (200, pytest.approx(200 * (1 - share(0, 5).high)), 200, "share")
    assert restricted_mean([201, None, 900], 200).method == "share"  # beyond the budget is never, too


def test_equal_times_on_a_grid_are_not_certain():
    found = restricted_mean([100] * 8, 1000, grid=10)
    assert found.low < 91 and found.high >= 100 and found.high - found.low < 15
    exact = restricted_mean([100] * 8, 1000)
    assert exact.low == exact.high == 100


def test_each_run_may_have_a_budget_and_a_grid_of_its_own():
    found = restricted_mean([80, None, 90], [100, 300, 200], grid=[1, 2, 3])
    assert found.value == (80 + 300 + 90) / 3 and found.low < found.value < found.high


def test_the_mean_of_no_runs_is_refused():
    with pytest.raises(ValueError, match="the mean of no runs does not exist: give at least one time"):
        restricted_mean([], 200)


def test_a_run_that_never_got_there_counts_as_the_budget():
    np.testing.assert_array_equal(capped([50, None, 400], 200), [50, 200, 200])


@pytest.mark.parametrize(
    ("times", "budget", "text"), [([1], 0, "budget must be positive"), ([-1], 10, "negative or NaN")]
)
def test_capped_refuses(times, budget, text):
    with pytest.raises(ValueError, match=text):
        capped(times, budget)


def test_no_runs_have_no_curve():
    with pytest.raises(ValueError, match="no runs"):
        kaplan_meier([], 200)


def test_logrank_tells_early_from_late_and_not_same_from_same():
    early, late = list(range(10, 18)), list(range(110, 118))
    assert logrank(early, late, 200) < 0.001
    assert logrank(early, early, 200) > 0.99
    assert logrank([None, None], [None], 200) == 1.0


def test_logrank_refuses_an_empty_group():
    with pytest.raises(ValueError, match="both groups, got 0 and 1"):
        logrank([], [1], 200)


def test_logrank_rejects_about_one_in_twenty_without_a_difference():
    rng = np.random.default_rng(1)
    draws = rng.exponential(100, (300, 2, 20))
    rejected = [logrank(list(x), list(y), 200) < 0.05 for x, y in draws]
    assert 0.01 <= np.mean(rejected) <= 0.10

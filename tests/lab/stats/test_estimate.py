import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anglewise.lab.stats import censored_median, mean_interval, median_interval, share
from anglewise.lab.stats.estimate import shared_rounding


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_ends_of_a_share_leave_two_and_a_half_percent_on_either_side(pair):
    k, n = pair
    found = share(k, n)
    assert 0 <= found.low <= found.value <= found.high <= 1 and found.low < found.high
    assert (found.low == 0) == (k == 0) and (found.high == 1) == (k == n)
    if k:
        assert stats.binom.sf(k - 1, n, found.low) == pytest.approx(0.025, rel=1e-6)
    if k < n:
        assert stats.binom.cdf(k, n, found.high) == pytest.approx(0.025, rel=1e-6)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 3), (4, 3)])
def test_a_share_refuses_impossible_counts(k, n):
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        share(k, n)


@pytest.mark.parametrize(
    ("times", "median"),
    [
        ([3, 1, 2], 2.0),
        ([1, 2, 3, 4], 2.5),
        ([1, 2, None], 2.0),
        ([1, 2, None, None], 2.0),  # S(2) = 1/2: Kaplan and Meier's median
        ([1, None, None], None),
        ([None], None),
    ],
)
def test_the_median_is_known_only_where_half_made_it(times, median):
    assert censored_median(times) == median


def test_the_median_never_averages_only_those_that_made_it():
    assert censored_median([10, None, None, None]) is None
    assert censored_median([10, 20, 30, None]) > np.mean([10, 20])


@given(st.lists(st.one_of(st.none(), st.integers(1, 1000)), min_size=1, max_size=12))
def test_later_times_never_lower_the_median(times):
    later = [None if t is None else t + 5 for t in times]
    a, b = censored_median(times), censored_median(later)
    assert (a is None) == (b is None) and (a is None or b == a + 5)


@pytest.mark.parametrize(("times", "text"), [([], "no runs"), ([float("nan")], "must be finite")])
def test_the_median_refuses(times, text):
    with pytest.raises(ValueError, match=text):
        censored_median(times)


def order_statistics(times, grid=0.0):
    """The interval of a median, spelled out."""
    ordered, n = sorted(math.inf if t is None else t for t in times), len(times)
    ranks = [k for k in range(1, n + 1) if stats.binom.cdf(k - 1, n, 0.5) <= 0.025]
    return (max(ordered[max(ranks) - 1] - grid, 0), ordered[n - max(ranks)]) if ranks else (None, None)


@given(st.lists(st.one_of(st.none(), st.integers(1, 30)), min_size=1, max_size=40), st.sampled_from([0, 2, 50]))
def test_the_ends_of_a_median_are_order_statistics_also_where_some_are_beyond_the_budget(times, grid):
    found = median_interval(times, grid=grid)
    assert (found.low, found.high) == order_statistics(times, grid)
    assert found.value == (math.inf if censored_median(times) is None else censored_median(times))
    assert found.low is None or found.low <= found.value <= found.high


@pytest.mark.parametrize("n", [2, 5, 30])
def test_the_mean_of_numbers_that_are_all_given_has_students_interval(n):
    values = np.random.default_rng(n).normal(5, 2, n)
    found, t = mean_interval(values, n), stats.ttest_1samp(values, 0).confidence_interval()
    assert found.method == "t"
    np.testing.assert_allclose([found.low, found.high], [t.low, t.high])


def test_students_interval_is_that_of_a_table():
    found = mean_interval([1.0, 2.0, 3.0], 3)  # t = 4.303 with two degrees of freedom
    assert (found.value, found.low, found.high) == (
        2,
        pytest.approx(2 - 2.4841, abs=1e-4),
        pytest.approx(4.4841, abs=1e-4),
    )


def test_a_mean_with_zeros_has_the_errors_of_its_two_parts_put_together():
    found = mean_interval([4.0, 5.0, 6.0], 8)
    p, m = share(3, 8), mean_interval([4.0, 5.0, 6.0], 3)
    assert found.method == "share and t" and found.value == 15 / 8
    assert (found.value - found.low) ** 2 == pytest.approx((5 * (p.value - p.low)) ** 2 + (3 / 8 * (5 - m.low)) ** 2)
    assert (found.high - found.value) ** 2 == pytest.approx((5 * (p.high - p.value)) ** 2 + (3 / 8 * (m.high - 5)) ** 2)
    assert found.low < min(p.low * m.value, p.value * m.low) and found.high > max(p.high * m.value, p.value * m.high)


def test_the_mean_of_negative_numbers_is_that_of_positive_ones_turned_round():
    one, other = mean_interval([4.0, 5.0, 7.0], 8), mean_interval([-4.0, -5.0, -7.0], 8)
    np.testing.assert_allclose([other.low, other.high], [-one.high, -one.low])


def test_of_zeros_alone_only_the_share_is_known():
    found = mean_interval([], 5, bounds=(0.0, 10.0))
    assert found == (0.0, 0.0, 10 * share(0, 5).high, "share")


def test_rounding_that_is_shared_does_not_average_out():
    half = [mean_interval([5.0] * n, n, shared=1.0).high - 5 for n in (3, 300)]
    np.testing.assert_allclose(half, 1.96, atol=1e-3)
    half = [mean_interval([5.0] * n, n, least=1.0).high - 5 for n in (3, 300)]
    assert half[0] > 2 and half[1] < 0.12


@pytest.mark.parametrize(("part", "n"), [([3.0], 1), ([3.0], 4), ([], 4)])
def test_too_few_numbers_have_no_interval(part, n):
    found = mean_interval(part, n)
    assert (found.value, found.low, found.high, found.method) == (sum(part) / n, None, None, "none")


@pytest.mark.parametrize(("part", "n"), [([], 0), ([1.0, 2.0], 1)])
def test_a_mean_of_more_numbers_than_there_are_is_refused(part, n):
    with pytest.raises(ValueError, match="expected at most n numbers and n >= 1, got"):
        mean_interval(part, n)


def test_rounding_is_shared_where_times_do_not_spread_over_the_grid():
    ten = np.full(4, 10.0)
    assert shared_rounding(np.array([50.0, 60.0, 50.0, 60.0]), ten) == pytest.approx(10 / math.sqrt(12))
    assert not shared_rounding(np.array([50.0, 60.0, 70.0, 80.0]), ten).any()
    assert not shared_rounding(np.array([50.0] * 4), 0 * ten).any() and not shared_rounding(ten[:0], ten[:0]).size

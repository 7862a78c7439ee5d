import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anglewise.lab.stats import bootstrap_interval, censored_median, wilson


def wilson_reference(k, n, z=1.959963984540054):
    p = k / n
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (p + z * z / (2 * n) - half) / (1 + z * z / n), (p + z * z / (2 * n) + half) / (1 + z * z / n)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_matches_its_formula_and_contains_the_share(pair):
    k, n = pair
    found = wilson(k, n)
    np.testing.assert_allclose((found.low, found.high), wilson_reference(k, n), atol=1e-12)
    assert 0 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 1


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 3), (4, 3)])
def test_wilson_refuses_impossible_counts(k, n):
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        wilson(k, n)


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


def test_equal_values_fall_back_to_the_percentile_interval():
    found = bootstrap_interval([np.full(8, 200.0)], np.mean)
    assert found == (200.0, 200.0, 200.0, "percentile")


def test_spread_values_get_bca():
    found = bootstrap_interval([np.arange(10.0)], np.mean)
    assert found.method == "bca" and found.low < 4.5 < found.high


def test_one_value_has_no_interval():
    assert bootstrap_interval([np.array([3.0])], np.mean) == (3.0, None, None, "none")


def test_equal_input_gives_equal_output():
    data = [np.random.default_rng(5).normal(size=20)]
    assert bootstrap_interval(data, np.mean) == bootstrap_interval(data, np.mean)
    assert bootstrap_interval(data, np.mean, seed=1) != bootstrap_interval(data, np.mean)


@pytest.mark.parametrize("samples", [[np.empty(0)], [np.ones(2), np.ones(3)]])
def test_bootstrap_refuses_empty_or_unequal_samples(samples):
    with pytest.raises(ValueError, match="samples of one length"):
        bootstrap_interval(samples, np.mean)


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        found = bootstrap_interval([rng.normal(5, 1, 30)], np.mean, resamples=499)
        hits += found.low <= 5 <= found.high
    assert 0.89 <= hits / 200 <= 0.99

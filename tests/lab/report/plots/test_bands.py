import numpy as np

from anglewise.lab.report.plots.bands import band, moments, seeds, thin, wide
from anglewise.lab.report.results import Series


def test_a_retired_run_keeps_its_value_and_a_diverged_one_leaves(make):
    results = make({"a": 80, "b": None}, seeds=3, diverged=[("a", 0)])
    found = band(results.curves["test_accuracy"], "a", results)
    assert found.n[-1] == 2 and found.n[0] == 3 and found.median[-1] > 0.9


def test_a_curve_ends_with_the_last_run_of_its_arm(make):
    results = make({"a": 60, "b": None}, seeds=3)
    ends = [series.steps[-1] for (arm, _), series in results.curves["test_accuracy"].items() if arm == "a"]
    found = band(results.curves["test_accuracy"], "a", results)
    assert min(ends) < found.steps[-1] == max(ends) < 200 and found.n[-1] == 3


def test_missing_runs_are_drawn_as_far_as_they_got(make):
    results = make({"a": 60, "b": None}, seeds=2, missing=[("a", 0), ("a", 1)])
    assert band(results.curves["test_accuracy"], "a", results).steps[-1] <= 200 // 3


def test_the_band_is_the_quartiles(make):
    series = {("a", s): Series(np.array([0, 10]), np.array([s, s + 1.0])) for s in range(5)}
    found = band(series, "a", make({"a": 60}))
    np.testing.assert_array_equal((found.low, found.median, found.high), [[1, 2], [2, 3], [3, 4]])


def test_values_that_are_not_finite_are_left_out(make):
    series = {
        ("a", 0): Series(np.arange(3), np.array([1.0, np.nan, 3.0])),
        ("a", 1): Series(np.arange(2), np.full(2, np.nan)),
    }
    found = band(series, "a", make({"a": 60}))
    assert np.all(np.isfinite(found.median)) and list(found.n) == [1, 1]
    assert len(band({}, "a", make({"a": 60})).steps) == 0


def test_thinning_keeps_both_ends():
    kept = thin(np.arange(5000), 100)
    assert len(kept) <= 100 and kept[0] == 0 and kept[-1] == 4999


def test_single_seeds_are_parted_by_gaps_and_one_seed_is_the_median_already(make):
    results = make({"a": 50})
    series = {("a", s): Series(np.arange(3), np.full(3, float(s))) for s in (4, 7)}
    steps, values, names = seeds(series, "a", results, 10)
    np.testing.assert_array_equal(values, [4, 4, 4, np.nan, 7, 7, 7, np.nan])
    assert list(names) == [4] * 4 + [7] * 4 and list(steps) == [0, 1, 2, 2] * 2
    assert [len(part) for part in seeds({("a", 4): series["a", 4]}, "a", results, 10)] == [0, 0, 0]


def test_an_arm_that_never_generalises_and_too_many_arms_have_no_moments(make):
    results = make({"a": 60, "never": None})
    assert moments(results) == {0: np.median([results.ended["a", s].first for s in range(8)])}
    assert moments(make({f"a{i}": 60 for i in range(9)})) == {}


def test_only_positive_values_far_apart_are_wide():
    assert wide(np.array([1.0, np.nan, 31.0])) and not wide(np.array([0.0, 31.0])) and not wide(np.array([1.0, 29.0]))
    assert not wide(np.empty(0))

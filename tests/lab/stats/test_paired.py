import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from anglewise.lab.stats import PValue, holm, sign_flip, speed_up
from anglewise.lab.stats.paired import EXACT, FLIPS

PAIRS = st.integers(2, 7).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(1, 50), min_size=n, max_size=n) for _ in range(2)])
)


def every_flip(x, y):
    """The exact p-value, spelled out over all 2^n sign patterns."""
    d = np.log(np.asarray(x, float)) - np.log(np.asarray(y, float))
    means = [np.mean(d * signs) for signs in itertools.product([1, -1], repeat=len(d))]
    return np.mean([abs(m) >= abs(np.mean(d)) - 1e-12 for m in means])


@given(PAIRS)
def test_p_matches_all_sign_patterns(pair):
    assert sign_flip(*pair).value == pytest.approx(every_flip(*pair), abs=1e-12)


@pytest.mark.parametrize("n", [2, 5, 8, 11])
@pytest.mark.parametrize("ties", [False, True])
def test_p_is_that_of_scipys_exact_test(n, ties):
    rng = np.random.default_rng(n)
    for _ in range(10):
        x, y = 10.0 * rng.integers(1, 6, (2, n)) if ties else np.exp(rng.normal(size=(2, n)))
        difference = np.log(x) - np.log(y)
        exact = stats.permutation_test(
            (difference,), np.mean, permutation_type="samples", vectorized=True, n_resamples=np.inf
        )
        assert sign_flip(x, y).value == pytest.approx(min(1.0, exact.pvalue), abs=1e-12)


def test_eight_pairs_that_agree_give_the_smallest_p():
    assert sign_flip(np.arange(11, 19), np.arange(1, 9)) == PValue(2 / 256, at_most=False)


@pytest.mark.parametrize("n", [EXACT - 7, EXACT])
def test_forty_pairs_are_counted_exactly_and_soon(n):
    x, began = np.exp(np.random.default_rng(0).normal(size=n) ** 2), time.process_time()
    assert sign_flip(2 * x, x) == PValue(2.0 ** (1 - n))
    assert time.process_time() - began < 5


def test_a_known_count_among_forty_pairs():
    """39 pairs of one sign and one of the other: that pattern, 40 like it, the two that agree, on either side."""
    x = np.full(EXACT, 2.0)
    x[7] = 0.5
    assert sign_flip(x, np.ones(EXACT)) == PValue(2 * (1 + 40) / 2**40)


def test_beyond_that_the_floor_of_random_patterns_is_said_to_be_one():
    x = np.full(EXACT + 1, 2.0)
    assert sign_flip(x, np.ones(EXACT + 1)) == PValue(1 / (1 + FLIPS), at_most=True)
    mixed = np.where(np.arange(EXACT + 1) % 2, 2.0, 0.5)
    found = sign_flip(mixed, np.ones(EXACT + 1))
    assert not found.at_most and found.value > 0.5


def test_equal_pairs_and_single_pairs_show_nothing():
    assert sign_flip([5, 6], [5, 6]) == sign_flip([5], [1]) == PValue(1.0)
    assert sign_flip([None, None], [None, None], budget=9) == PValue(1.0)
    assert sign_flip([2, 3, 6], [1, 1, 36]).value == 1.0  # log 2 + log 3 - log 6: zero up to rounding


def test_p_is_uniform_when_pairs_are_exchangeable():
    rng = np.random.default_rng(2)
    p = np.array([sign_flip(*np.exp(rng.normal(size=(2, 8)))).value for _ in range(300)])
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.075)


def test_the_speed_up_is_the_geometric_mean_of_paired_ratios():
    base, arm = np.array([100.0, 200.0, 150.0]), np.array([50.0, 50.0, 150.0])
    assert speed_up(base, arm).value == pytest.approx((2 * 4 * 1) ** (1 / 3), rel=1e-12)
    assert speed_up(arm, base).value == pytest.approx(1 / speed_up(base, arm).value)


def test_pairing_matters():
    base = np.array([50.0, 100.0, 200.0, 400.0])
    paired, broken = speed_up(base, base / 2), speed_up(base, base[::-1] / 2)
    assert paired.value == pytest.approx(broken.value)
    assert paired.high - paired.low < 1e-9 < 1 < broken.high - broken.low


def test_the_interval_is_students_on_the_logarithms():
    base, arm = np.array([100.0, 200.0, 150.0, 90.0]), np.array([50.0, 90.0, 80.0, 60.0])
    found = speed_up(base, arm)
    own = stats.ttest_rel(np.log(base), np.log(arm)).confidence_interval()
    assert found.method == "t"
    np.testing.assert_allclose(np.log([found.low, found.high]), [own.low, own.high])


def test_one_pair_has_no_interval():
    assert speed_up([100], [50]) == (pytest.approx(2.0), None, None, "none")


def test_equal_ratios_of_rounded_times_are_not_certain():
    """Recorded at 100 and 50, evaluated every 10: the ratio lies between 90/50 and 100/40."""
    found = speed_up([100] * 3, [50] * 3, grid=10)
    assert found.low == pytest.approx(1.8, rel=0.1) and found.high == pytest.approx(2.5, rel=0.1)
    many = speed_up([100] * 300, [50] * 300, grid=10)
    assert many.low < 1.9 and many.high > 2.3
    lucky = speed_up([100, 200, 400], [50, 100, 200], grid=1)  # spread over the grid, equal by luck
    assert 1.9 < lucky.low < 1.99 < 2.01 < lucky.high < 2.1


def test_the_interval_holds_the_estimate_also_where_rounding_pulls_it_to_one_side():
    base, arm = np.arange(500, 900, 5) // 10 * 10.0, np.arange(20, 100, 1) // 10 * 10.0 + 10
    found = speed_up(base, arm, grid=10)
    assert found.low <= found.value <= found.high


def test_a_crossing_before_the_first_evaluation_has_an_interval():
    found = speed_up([10, 20, 10], [1, 1, 10], grid=10)
    assert 0 < found.low < found.value < found.high < math.inf


def test_pairs_in_which_neither_got_there_say_nothing():
    assert speed_up([None, None], [None, None], budget=200) is None
    assert speed_up([250, None], [300, None], budget=200) is None  # beyond the budget is never, too
    one = speed_up([None, 100, 90], [None, 50, 50], budget=200)
    assert one.method == "share and t" and one.value == pytest.approx((1 * 2 * 1.8) ** (1 / 3))
    assert one.low < 1 < one.high  # two pairs that inform, of three
    assert speed_up([None, None, 90], [None, None, 50], budget=200).low is None


def test_each_run_may_have_a_budget_and_a_grid_of_its_own():
    base, arm, pace = np.array([100.0, 200.0, 150.0]), np.array([50.0, 120.0, 90.0]), np.array([[1, 2, 3], [4, 5, 6.0]])
    own = speed_up(base * pace[0], arm * pace[1], 300 * pace, grid=10 * pace)
    same = speed_up(base * pace[0], arm * pace[1], 300 * pace, grid=[[10, 20, 30], [40, 50, 60]])
    assert own == same and own != speed_up(base * pace[0], arm * pace[1], 300 * pace)


BAD = [
    ([1], [1, 2], "as many times"),
    ([], [], "as many"),
    ([0], [1], "positive"),
    ([np.inf], [1], "and finite"),
    ([None], [1], "the budget, for a run that never got there"),
]


@pytest.mark.parametrize("compare", [speed_up, sign_flip])
@pytest.mark.parametrize(("x", "y", "text"), BAD)
def test_bad_pairs_are_refused(compare, x, y, text):
    with pytest.raises(ValueError, match=text):
        compare(x, y)


def adjusted(values):
    return [one.value for one in holm([PValue(value) for value in values])]


def test_holm_of_a_known_case():
    np.testing.assert_allclose(adjusted([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_holm_keeps_what_is_only_an_upper_bound():
    found = holm([PValue(0.0001, at_most=True), PValue(0.0003), PValue(0.0004, at_most=True), PValue(0.9)])
    assert [(round(one.value, 6), one.at_most) for one in found] == [
        (0.0004, True), (0.0009, False), (0.0009, False), (0.9, False),
    ]  # fmt: skip
    assert holm([PValue(0.4, at_most=True)] * 3) == [PValue(1.0)] * 3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_keeps_order_and_never_lowers_p(p):
    found = np.array(adjusted(p))
    assert np.all(found >= np.array(p)) and np.all(found <= 1)
    assert np.all(np.diff(found[np.argsort(p, kind="stable")]) >= 0)
    assert min(found) <= len(p) * min(p) + 1e-12


@pytest.mark.parametrize("p", [[-0.1], [1.1], [float("nan")]])
def test_holm_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="lie in"):
        holm([PValue(value) for value in p])

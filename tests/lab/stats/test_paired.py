import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anglewise.lab.stats import holm, sign_flip, speed_up

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
    assert sign_flip(*pair) == pytest.approx(every_flip(*pair), abs=1e-12)


def test_eight_pairs_that_agree_give_the_smallest_p():
    assert sign_flip(np.arange(11, 19), np.arange(1, 9)) == 2 / 256


def test_equal_pairs_and_single_pairs_show_nothing():
    assert sign_flip([5, 6], [5, 6]) == 1.0
    assert sign_flip([5], [1]) == 1.0


def test_p_is_uniform_when_pairs_are_exchangeable():
    rng = np.random.default_rng(2)
    p = np.array([sign_flip(*np.exp(rng.normal(size=(2, 8)))) for _ in range(300)])
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


def test_the_interval_covers_the_true_ratio_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        seed_effect = rng.normal(5, 1, 30)
        base, arm = np.exp(seed_effect), np.exp(seed_effect - np.log(1.5) + rng.normal(0, 0.2, 30))
        found = speed_up(base, arm, resamples=499)
        hits += found.low <= 1.5 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


BAD = [
    ([1], [1, 2], "as many times"),
    ([], [], "as many"),
    ([0], [1], "positive"),
    ([np.inf], [1], "and finite"),
]


@pytest.mark.parametrize("compare", [speed_up, sign_flip])
@pytest.mark.parametrize(("x", "y", "text"), BAD)
def test_bad_pairs_are_refused(compare, x, y, text):
    with pytest.raises(ValueError, match=text):
        compare(x, y)


def test_holm_of_a_known_case():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_keeps_order_and_never_lowers_p(p):
    adjusted = np.array(holm(p))
    assert np.all(adjusted >= np.array(p)) and np.all(adjusted <= 1)
    assert np.all(np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0)
    assert max(adjusted) <= 1 and min(adjusted) <= len(p) * min(p) + 1e-12


@pytest.mark.parametrize("p", [[-0.1], [1.1], [float("nan")]])
def test_holm_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="lie in"):
        holm(p)

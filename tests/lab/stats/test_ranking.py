import itertools

import numpy as np
import pytest

from anglewise.lab.stats.ranking import alike, auc


def pairs_reference(score, y, within):
    won = total = 0.0
    for i, j in itertools.product(range(len(y)), repeat=2):
        if y[i] and not y[j] and within[i] == within[j]:
            total += 1
            won += 1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0
    return won / total


@pytest.mark.parametrize("seed", range(5))
def test_it_counts_pairs_within_strata(seed):
    rng = np.random.default_rng(seed)
    score, y, within = rng.integers(0, 6, 60) / 5, rng.random(60) < 0.4, rng.integers(0, 4, 60)
    assert auc(score, y, within) == pytest.approx(pairs_reference(score, y, within))


def test_a_score_that_is_the_stratum_knows_nothing_inside_it():
    within = np.repeat([1.0, 2.0, 3.0], 10)
    y = np.tile([True, False], 15)
    assert auc(within, y, within) == 0.5


def test_without_a_pair_there_is_no_area():
    assert np.isnan(auc(np.arange(3.0), np.ones(3, bool), np.zeros(3)))
    assert np.isnan(auc(np.full(3, np.nan), np.array([True, False, True]), np.zeros(3)))
    assert np.isnan(auc(np.arange(2.0), np.array([True, False]), np.arange(2)))


def test_points_of_which_nothing_was_said_are_left_out():
    score = np.array([0.1, np.nan, 0.9, 0.2])
    assert auc(score, np.array([False, True, True, False]), np.zeros(4)) == 1.0


def test_equal_features_inside_strata_are_recognised_in_any_order():
    x, within = np.array([[1.0, 5.0], [2.0, 5.0], [1.0, 5.0], [2.0, 5.0]]), np.array([7, 3, 7, 3])
    assert alike(x, within) and not alike(x, np.zeros(4)) and not alike(x + np.array([[0], [0], [1], [0]]), within)


def test_a_missing_feature_is_not_like_another():
    assert not alike(np.full((2, 1), np.nan), np.zeros(2))

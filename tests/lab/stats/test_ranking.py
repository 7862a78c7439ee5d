import itertools

import numpy as np
import pytest

from anglewise.lab.stats.ranking import auc, auc_interval


def pairs_reference(score, y, within, weight):
    won = total = 0.0
    for i, j in itertools.product(range(len(y)), repeat=2):
        if y[i] and not y[j] and within[i] == within[j]:
            total += weight[i] * weight[j]
            won += weight[i] * weight[j] * (1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0)
    return won / total


@pytest.mark.parametrize("seed", range(5))
def test_it_counts_pairs_within_strata(seed):
    rng = np.random.default_rng(seed)
    score, y, within = rng.integers(0, 6, 60) / 5, rng.random(60) < 0.4, rng.integers(0, 4, 60)
    weight = rng.integers(0, 4, 60).astype(float)
    assert auc(score, y, within, weight) == pytest.approx(pairs_reference(score, y, within, weight))


def test_a_score_that_is_the_stratum_knows_nothing_inside_it():
    within = np.repeat([1.0, 2.0, 3.0], 10)
    y = np.tile([True, False], 15)
    assert auc(within, y, within) == 0.5


def test_without_a_pair_there_is_no_area():
    assert np.isnan(auc(np.arange(3.0), np.ones(3, bool), np.zeros(3)))
    assert auc_interval(np.full(3, np.nan), np.ones(3, bool), np.zeros(3), np.arange(3), 10) is None
    assert auc_interval(np.arange(3.0), np.ones(3, bool), np.zeros(3), np.arange(3), 10) is None


def test_points_that_were_not_scored_are_left_out():
    score = np.array([0.1, np.nan, 0.9, 0.2])
    y, zero = np.array([False, True, True, False]), np.zeros(4)
    assert auc_interval(score, y, zero, np.arange(4), 50).value == 1.0


def test_one_cluster_gives_no_interval():
    found = auc_interval(np.array([0.0, 1.0]), np.array([False, True]), np.zeros(2), np.array([0, 1]), 1)
    assert found.value == 1.0 and found.method == "none"


def test_clusters_are_wider_than_points():
    rng = np.random.default_rng(1)
    base, y = rng.normal(size=30), rng.random(30) < 0.5
    score, truth, cluster = np.repeat(base, 20), np.repeat(y, 20), np.repeat(np.arange(30), 20)
    zero = np.zeros(600)
    own, alone = (auc_interval(score, truth, zero, c, 300) for c in (cluster, np.arange(600)))
    assert own.value == alone.value
    assert own.high - own.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("truth", [0.5, 0.8])
def test_the_interval_covers(truth):
    rng, hits = np.random.default_rng(2), 0
    shift = {0.5: 0.0, 0.8: 1.19}[truth]
    for _ in range(60):
        y = rng.random(80) < 0.5
        found = auc_interval(rng.normal(size=80) + shift * y, y, np.zeros(80), np.arange(80), 200)
        hits += found.low <= truth <= found.high
    assert hits >= 51  # 95 % of 60, less three standard deviations

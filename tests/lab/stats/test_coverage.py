"""Every interval covers what it says, at every number of seeds, in worlds like those of training runs.

A world draws paired times of a baseline and an arm: log-normal with an effect of the seed that both share.  Its budget
censors a share of all runs; its grid rounds times up to the next evaluation.  What is to be covered belongs to the
continuous times: the geometric mean of the ratios and the mean, both of times capped at the budget, and the median.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import pytest
from scipy import stats

from anglewise.lab.stats import median_interval, restricted_mean, share, speed_up

SIZES = (3, 4, 8, 16, 32)
REPEATS = 2000
LEAST = 0.93
"""Smallest share of 2,000 intervals that passes: three standard errors below 95 % and what is left for asymmetry."""
MEDIANS = (100.0, 70.0)
SEED, OWN = 0.2, 0.15


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """What is drawn (baseline and arm, times as recorded), and the truth of each repetition."""

    times: np.ndarray  # [2, REPEATS, n], infinite for a run that never got there
    budget: float
    grid: float
    ratio: np.ndarray  # [REPEATS], log
    mean: np.ndarray  # [REPEATS], of the baseline
    median: np.ndarray  # [REPEATS], of the baseline; infinite beyond the budget

    def pair(self, i):
        return ([None if math.isinf(t) else t for t in own] for own in self.times[:, i].tolist())


def lognormal(rng, repeats, n, medians=MEDIANS):
    seed = rng.normal(0, SEED, (repeats, n))
    return np.stack([m * np.exp(seed + rng.normal(0, OWN, (repeats, n))) for m in medians])


def censored(lost, n, rng, medians=MEDIANS):
    """A share `lost` of all runs, of both arms together, is beyond the budget."""
    big = lognormal(np.random.default_rng(1), 1, 400_000, medians)
    budget = float(np.quantile(big, 1 - lost)) if lost < 1 else 1.0
    most = np.minimum(big, budget)
    drawn = lognormal(rng, REPEATS, n, medians)
    full = np.ones(REPEATS)
    return World(
        np.where(drawn > budget, np.inf, drawn), budget, 0.0,
        full * np.mean(np.log(most[0]) - np.log(most[1])), full * most[0].mean(),
        full * (medians[0] if medians[0] <= budget else math.inf),
    )  # fmt: skip


def free(n, rng):
    """Every run gets there, long before the budget."""
    mean = MEDIANS[0] * math.exp((SEED**2 + OWN**2) / 2)
    ratio, full = math.log(MEDIANS[0] / MEDIANS[1]), np.ones(REPEATS)
    return World(lognormal(rng, REPEATS, n), 1000.0, 0.0, full * ratio, full * mean, full * MEDIANS[0])


def coarse(n, rng, spread=1.0, grid=10.0):
    """Nearly all times of an arm lie between the same two evaluations; where between, differs from world to world."""
    middles = grid * (np.array([9.0, 6.0])[:, None] + rng.random((2, REPEATS)))
    seed = rng.normal(0, spread, (REPEATS, n))
    drawn = middles[..., None] + seed + rng.normal(0, spread / 2, (2, REPEATS, n))
    return World(
        grid * np.ceil(drawn / grid), 1000.0, grid, np.log(middles[0] / middles[1]), middles[0], middles[0]
    )  # fmt: skip


WORLDS = {
    "free": free,
    "20 % censored": lambda n, rng: censored(0.2, n, rng),
    "40 % censored": lambda n, rng: censored(0.4, n, rng),
    "coarse": coarse,
}


@functools.cache
def world(name, n):
    return WORLDS[name](n, np.random.default_rng(n))


@functools.cache
def speed_ups(here):
    """Ends of the logarithm, shape ``[2, m]``, and the truths, of the repetitions that have an interval."""
    found = [speed_up(*here.pair(i), here.budget, grid=here.grid) for i in range(REPEATS)]
    kept = [i for i, one in enumerate(found) if one is not None and one.low is not None]
    return np.log([[found[i].low for i in kept], [found[i].high for i in kept]]), here.ratio[kept]


@functools.cache
def means(here):
    found = [restricted_mean(next(here.pair(i)), here.budget, grid=here.grid) for i in range(REPEATS)]
    return np.array([[one.low for one in found], [one.high for one in found]]), here.mean


def medians(here):
    """By the ranks that :func:`median_interval` takes, which depend on the number of runs alone."""
    ordered = np.sort(here.times[0], axis=1)
    ranks = median_interval(list(range(1, ordered.shape[1] + 1)))
    ends = np.stack([ordered[:, int(ranks.low) - 1] - here.grid, ordered[:, int(ranks.high) - 1]])
    for i in range(20):
        one = median_interval(next(here.pair(i)), grid=here.grid)
        assert (one.low, one.high) == tuple(ends[:, i])
    return ends, here.median


def covered(ends, truth):
    return np.mean((ends[0] <= truth) & (truth <= ends[1]))


def normal_width(values):
    """Mean width of 95 % intervals of a mean with known standard deviation."""
    return 2 * 1.96 * np.std(values) / math.sqrt(values.shape[-1])


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", WORLDS)
def test_the_interval_of_a_speed_up_covers_it(name, n):
    ends, truth = speed_ups(world(name, n))
    assert covered(ends, truth) >= LEAST
    assert ends.shape[1] > 0.8 * REPEATS  # with three seeds, few pairs may carry information


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", WORLDS)
def test_the_interval_of_a_restricted_mean_covers_it(name, n):
    assert covered(*means(world(name, n))) >= LEAST


@pytest.mark.parametrize("n", [n for n in SIZES if n >= 6])
@pytest.mark.parametrize("name", WORLDS)
def test_the_interval_of_a_median_covers_it(name, n):
    assert covered(*medians(world(name, n))) >= LEAST


@pytest.mark.parametrize("lost", [0.6, 0.95])
@pytest.mark.parametrize("n", [4, 16])
def test_where_most_runs_never_get_there_the_restricted_mean_is_covered(lost, n):
    assert covered(*means(censored(lost, n, np.random.default_rng(n)))) >= LEAST


@pytest.mark.parametrize("n", SIZES)
def test_where_no_run_gets_there_nothing_is_said_of_the_ratio_and_the_mean_stays_possible(n):
    here = censored(1, n, np.random.default_rng(n))
    assert speed_up(*here.pair(0), here.budget) is None
    found = restricted_mean(next(here.pair(0)), here.budget)
    assert found.method == "share" and 0 < found.low < found.value == found.high == here.budget


def exact_coverage(ends, n, p):
    """Probability that the interval of a share covers p, over all outcomes."""
    hits = np.array([(low <= p) & (p <= high) for low, high in ends])
    return np.sum(stats.binom.pmf(np.arange(n + 1), n, p) * hits)


P = np.linspace(0.001, 0.999, 499)


@pytest.mark.parametrize("n", SIZES)
def test_the_interval_of_a_share_covers_every_share(n):
    ends = [(found.low, found.high) for found in (share(k, n) for k in range(n + 1))]
    assert min(exact_coverage(ends, n, p) for p in P) >= 0.95


def test_intervals_of_thirty_two_seeds_are_about_as_wide_as_the_normal_distribution_has_them():
    for name in ("free", "20 % censored", "40 % censored"):
        here = world(name, 32)
        most = np.minimum(here.times, here.budget)
        ends, _ = speed_ups(here)
        assert np.mean(ends[1] - ends[0]) < 1.15 * normal_width(np.log(most[0]) - np.log(most[1]))
        ends, _ = means(here)
        assert np.mean(ends[1] - ends[0]) < 1.15 * normal_width(most[0])
    ends, _ = medians(world("free", 32))
    assert np.mean(np.log(ends[1] / ends[0])) < 1.25 * 1.2533 * normal_width(np.log(world("free", 32).times[0]))
    half = share(16, 32)
    assert half.high - half.low < 1.1 * 2 * 1.96 * math.sqrt(0.25 / 32)


def test_on_a_coarse_grid_intervals_are_little_wider_than_it():
    here = world("coarse", 32)
    ends, _ = means(here)
    assert np.mean(ends[1] - ends[0]) < 1.3 * here.grid
    ends, _ = medians(here)
    assert np.mean(ends[1] - ends[0]) < 2 * here.grid
    ends, _ = speed_ups(here)
    assert np.mean(ends[1] - ends[0]) < 1.3 * here.grid * (1 / 90 + 1 / 60)


def test_on_a_grid_that_the_times_spread_over_the_interval_is_hardly_wider():
    here = coarse(32, np.random.default_rng(0), spread=10.0)
    ends, truth = speed_ups(here)
    assert covered(ends, truth) >= LEAST
    assert np.mean(ends[1] - ends[0]) < 1.3 * normal_width(np.log(here.times[0]) - np.log(here.times[1]))


# What must fail the same check: without these, a check that passes everything would go unnoticed.


def test_bca_of_four_seeds_does_not_cover():
    here = world("free", 4)
    z = np.log(here.times[0]) - np.log(here.times[1])
    found = stats.bootstrap((z,), np.mean, axis=-1, n_resamples=499, method="bca", rng=np.random.default_rng(0))
    ends = np.stack(found.confidence_interval)
    assert covered(ends, here.ratio) < 0.85 < LEAST


def test_students_interval_of_many_capped_times_does_not_cover():
    here = censored(0.6, 16, np.random.default_rng(16))
    most = np.minimum(here.times[0], here.budget)
    half = stats.t.ppf(0.975, 15) * most.std(axis=1, ddof=1) / 4
    assert covered(np.stack([most.mean(axis=1) - half, most.mean(axis=1) + half]), here.mean) < 0.91 < LEAST


def test_rounding_that_is_averaged_away_over_seeds_does_not_cover():
    here = world("coarse", 32)
    z = np.log(here.times[0]) - np.log(here.times[1])
    rounding = np.sqrt(np.mean(np.sum(here.grid**2 / 12 / here.times**2, axis=0), axis=1))
    half = stats.t.ppf(0.975, 31) * np.maximum(z.std(axis=1, ddof=1), rounding) / math.sqrt(32)
    assert covered(np.stack([z.mean(axis=1) - half, z.mean(axis=1) + half]), here.ratio) < 0.6 < LEAST


def test_wilsons_interval_does_not_cover_every_share():
    ends = [stats.binomtest(k, 8).proportion_ci(method="wilson") for k in range(9)]
    assert min(exact_coverage(ends, 8, p) for p in P) < 0.86 < LEAST


def test_eight_seeds_that_saw_no_straggler_cannot_cover_the_mean_and_the_share_tells_the_risk():
    """One run in ten never gets there, and counts as ten times the usual time."""
    rng = np.random.default_rng(0)
    drawn = 100 * np.exp(rng.normal(0, 0.1, (400, 8)))
    late = rng.random(drawn.shape) < 0.1
    truth = 0.9 * 100 * math.exp(0.1**2 / 2) + 0.1 * 1000
    found = [
        (restricted_mean([None if never else t for t, never in zip(*run, strict=True)], 1000), any(run[1]))
        for run in zip(drawn.tolist(), late.tolist(), strict=True)
    ]
    none = [one for one, some in found if not some]
    assert len(none) > 0.35 * len(found) and not any(one.low <= truth <= one.high for one in none)
    assert np.mean([one.low <= truth <= one.high for one, some in found if some]) > 0.9
    assert share(8, 8).low < 0.9

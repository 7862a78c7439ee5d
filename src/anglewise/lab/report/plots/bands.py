"""Curves of many runs as one: median or mean with its band, for values over the steps and for last arrays.

A run that generalised and stopped early keeps its last value until the last run of its arm ends.  The curve ends
there: beyond it, all values would be carried ones.  A diverged or missing run is not carried on: it leaves the median
at its last finite value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from anglewise.lab.readings.quantities import DRAWINGS, drawing
from anglewise.lab.report.comparison import time_of
from anglewise.lab.report.plots.style import FEW_ARMS
from anglewise.lab.report.results import Key, Results, Series
from anglewise.lab.stats import censored_median

MOST = 400
"""Points kept per drawn curve."""
GRID = 160
"""Points of a density that is the median of several."""
SEEDS, FEWEST, CURVES = 24, 3, 600
"""Runs of an arm whose own curves are drawn, at most and at least, and about so many of all arms together."""
WIDE = 30.0
"""Ratio of the largest to the smallest value beyond which an axis starts logarithmic."""

CAPTION = (
    "Lines are medians over seeds, bands the middle half of them. A run that generalised and stopped early "
    "keeps its last value until the last run of its arm ends; a diverged or unfinished run leaves the median "
    "where it ended. Hover for the number of runs behind a point."
)


class Band(NamedTuple):
    """Quartiles over the runs alive at each step (or place of an array); all arrays of one shape."""

    steps: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    n: np.ndarray


def band(series: Mapping[Key, Series], arm: str, results: Results, most: int = MOST) -> Band:
    """Median and quartiles of one arm's runs, on at most so many of the steps at which one of them was read.

    They are empty where nothing was read.
    """
    steps, rows = _rows(series, arm, results, most)
    n = np.sum(np.isfinite(rows), axis=0)
    kept = n > 0
    if not kept.any():
        empty = np.empty(0)
        return Band(empty, empty, empty, empty, empty)
    return Band(steps[kept], *quartiles(rows[:, kept]), n[kept])


def quartiles(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First quartile, median and third quartile of every column, NaN left out: what `np.nanquantile` gives, faster.

    Args:
        rows: Shape ``[runs, n]``; no column is all NaN.

    Example:
        >>> quartiles(np.array([[1.0], [2.0], [np.nan], [4.0]]))[1]
        array([2.])
    """
    ordered = np.sort(rows, axis=0)  # NaN last
    last = np.sum(~np.isnan(rows), axis=0) - 1
    places = np.arange(rows.shape[1])

    def at(share: float) -> np.ndarray:
        place = share * last
        below = np.floor(place).astype(int)
        part, one = place - below, ordered[below, places]
        other = ordered[np.minimum(below + 1, last), places]
        with np.errstate(invalid="ignore"):  # between infinities
            return np.asarray(np.where(part < 0.5, one + (other - one) * part, other - (other - one) * (1 - part)))

    return at(0.25), at(0.5), at(0.75)


def mean_band(series: Mapping[Key, Series], arm: str, results: Results, most: int = MOST) -> Band:
    """Mean of one arm's runs with Student's 95 % interval, in the places of :func:`band`'s median and quartiles.

    The ends are the mean where there are fewer than two runs.
    """
    from scipy import special

    steps, rows = _rows(series, arm, results, most)
    n = np.sum(np.isfinite(rows), axis=0)
    steps, rows, n = steps[n > 0], rows[:, n > 0], n[n > 0]
    mean = np.nanmean(rows, axis=0) if len(n) else np.empty(0)
    several = np.maximum(n - 1, 1)
    deviation = np.sqrt(np.nansum(np.square(rows - mean), axis=0) / several) if len(n) else mean
    half = np.where(n > 1, special.stdtrit(several, 0.975) * deviation / np.sqrt(np.maximum(n, 1)), 0.0)
    return Band(steps, mean - half, mean, mean + half, n)


def _rows(series: Mapping[Key, Series], arm: str, results: Results, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps at which one of an arm's runs was read, and every run's value there, a row each; NaN where it is gone."""
    of_arm = {key: series[key] for key in results.keys_of(arm) if key in series}
    if of_arm and len({len(s.steps) for s in of_arm.values()}) == 1:  # as of runs that all trained to the budget
        steps, values = (np.stack([s[i] for s in of_arm.values()]) for i in range(2))
        if 0 < steps.shape[1] <= most and np.all(steps == steps[0]) and np.all(np.isfinite(values)):
            return steps[0], values
    of_arm = {key: clean(s) for key, s in of_arm.items()}
    of_arm = {key: s for key, s in of_arm.items() if len(s.steps)}
    if not of_arm:
        return np.empty(0), np.empty((0, 0))
    grid = thin(np.unique(np.concatenate([s.steps for s in of_arm.values()])), most)
    rows = np.full((len(of_arm), len(grid)), np.nan)
    for row, (key, s) in zip(rows, of_arm.items(), strict=True):
        alive = (grid >= s.steps[0]) & ((grid <= s.steps[-1]) | _carried(key, results))
        row[alive] = np.interp(grid[alive], s.steps, s.values)
    return grid, rows


def clean(series: Series) -> Series:
    """A series without values that are not finite."""
    fine = np.isfinite(series.values)
    if fine.all():
        return series
    return Series(series.steps[fine], series.values[fine])


def thin(values: np.ndarray, most: int = MOST) -> np.ndarray:
    """At most so many values, evenly picked, the first and the last among them."""
    if len(values) <= most:
        return values
    return np.asarray(values[np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))])


def _carried(key: Key, results: Results) -> bool:
    return key in results.ended and results.ended[key].outcome in ("grokked", "generalised-at-once")


def seeds(
    series: Mapping[Key, Series], arm: str, results: Results, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps, values and seeds of an arm's runs, one after the other, with a NaN after each; empty below two runs."""
    steps, values, names = [np.empty(0, int)], [np.empty(0)], [np.empty(0, int)]
    of_arm = [(key[1], series[key]) for key in results.keys_of(arm) if key in series and len(series[key].steps)]
    for seed, whole in of_arm[: shown_seeds(results)]:
        kept = thin(np.arange(len(whole.steps)), most)
        steps.append(np.append(whole.steps[kept], whole.steps[kept[-1]]))
        values.append(np.append(whole.values[kept], np.nan))
        names.append(np.full(len(kept) + 1, seed))
    chosen = slice(0) if len(steps) < 3 else slice(None)  # one run is the median already
    return np.concatenate(steps)[chosen], np.concatenate(values)[chosen], np.concatenate(names)[chosen]


def shown_seeds(results: Results) -> int:
    """Runs of an arm whose own curves are drawn, so that the page of many arms can still be opened."""
    return int(np.clip(CURVES // max(len(results.arms), 1), FEWEST, SEEDS))


def moments(results: Results) -> dict[int, float]:
    """Median time to generalise by the index of the arm, where it is within the budget; none for too many arms."""
    if len(results.arms) > FEW_ARMS:
        return {}
    times = {i: [time_of(run, "first") for run in results.finished(arm).values()] for i, arm in enumerate(results.arms)}
    medians = {i: censored_median(of_arm) for i, of_arm in times.items() if of_arm}
    return {i: value for i, value in medians.items() if value is not None}


def wide(values: np.ndarray) -> bool:
    """Whether values are positive and so far apart that an axis had better be logarithmic."""
    values = values[np.isfinite(values)]
    return bool(len(values) and values.min() > 0 and values.max() > WIDE * values.min())


def curve(name: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One array as x and y: a density by its grid, shares from the largest on, anything else by its place from 1."""
    how = drawing(name, values.ndim)
    if how is not None and how.kind == "density":
        return values[0], values[1]
    if how is not None and how.kind == "share":
        values = np.sort(values)[::-1]
    return np.arange(1, len(values) + 1), values


def array_band(name: str, arrays: list[np.ndarray]) -> Band | None:
    """Quartiles of several runs' arrays; None where no run has finite values. Shorter ones end sooner."""
    pairs = [curve(name, values) for values in arrays if np.any(np.isfinite(values))]
    if not pairs:
        return None
    if drawing(name, arrays[0].ndim) == DRAWINGS["hessian_density"]:
        x = np.linspace(min(x.min() for x, _ in pairs), max(x.max() for x, _ in pairs), GRID)
        x = pairs[0][0] if len(pairs) == 1 else x
        rows = np.stack([np.interp(x, grid, y, left=0, right=0) for grid, y in pairs])
    else:
        x = max((x for x, _ in pairs), key=len)
        rows = np.stack([np.pad(y.astype(float), (0, len(x) - len(y)), constant_values=np.nan) for _, y in pairs])
    kept = np.any(np.isfinite(rows), axis=0)
    return Band(x[kept], *quartiles(rows[:, kept]), np.full(int(kept.sum()), len(pairs)))

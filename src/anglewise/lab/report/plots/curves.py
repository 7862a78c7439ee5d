"""Curves of many runs as one: median and interquartile band, honest about runs that have ended.

A run that generalised and was retired keeps its last value until the last run of its arm ends; there the
curve ends, for beyond it there is nothing but what was carried.  A diverged or missing run is not carried on:
it leaves the median at its last finite value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from anglewise.lab.report.results import Key, Results, Series

MOST = 400
"""Points kept per drawn curve."""

CAPTION = (
    "Lines are medians over seeds, bands the middle half of them. A run that generalised and stopped early "
    "keeps its last value until the last run of its arm ends; a diverged or unfinished run leaves the median "
    "where it ended. Hover for the number of runs behind a point."
)


class Band(NamedTuple):
    """Quartiles over the runs alive at each step; all arrays of one shape."""

    steps: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    n: np.ndarray


def band(series: Mapping[Key, Series], arm: str, results: Results, most: int = MOST) -> Band:
    """Median and quartiles of one arm's runs, on all steps at which one of them was read.

    Args:
        series: By run; runs of other arms are left out.
        arm: Name.
        results: Tells how the runs ended.
        most: Steps kept.

    Returns:
        Shape ``[number of steps]``; empty where nothing was read.
    """
    steps, rows = _rows(series, arm, results, most)
    n = np.sum(np.isfinite(rows), axis=0)
    kept = n > 0
    if not kept.any():
        empty = np.empty(0)
        return Band(empty, empty, empty, empty, empty)
    low, median, high = np.nanquantile(rows[:, kept], (0.25, 0.5, 0.75), axis=0)
    return Band(steps[kept], low, median, high, n[kept])


def mean_band(series: Mapping[Key, Series], arm: str, results: Results, most: int = MOST) -> Band:
    """Mean of one arm's runs with Student's 95 % interval, in the places of :func:`band`'s median and quartiles.

    Returns:
        As :func:`band`; the ends are the mean where there are fewer than two runs.
    """
    from scipy import stats

    steps, rows = _rows(series, arm, results, most)
    n = np.sum(np.isfinite(rows), axis=0)
    steps, rows, n = steps[n > 0], rows[:, n > 0], n[n > 0]
    mean = np.nanmean(rows, axis=0) if len(n) else np.empty(0)
    several = np.maximum(n - 1, 1)
    deviation = np.sqrt(np.nansum(np.square(rows - mean), axis=0) / several) if len(n) else mean
    half = np.where(n > 1, stats.t.ppf(0.975, several) * deviation / np.sqrt(np.maximum(n, 1)), 0.0)
    return Band(steps, mean - half, mean, mean + half, n)


def _rows(series: Mapping[Key, Series], arm: str, results: Results, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps at which one of an arm's runs was read, and every run's value there, a row each; NaN where it is gone."""
    own = {key: clean(s) for key, s in series.items() if key[0] == arm}
    own = {key: s for key, s in own.items() if len(s.steps)}
    if not own:
        return np.empty(0), np.empty((0, 0))
    grid = thin(np.unique(np.concatenate([s.steps for s in own.values()])), most)
    rows = np.full((len(own), len(grid)), np.nan)
    for row, (key, s) in zip(rows, own.items(), strict=True):
        alive = (grid >= s.steps[0]) & ((grid <= s.steps[-1]) | _carried(key, results))
        row[alive] = np.interp(grid[alive], s.steps, s.values)
    return grid, rows


def clean(series: Series) -> Series:
    """A series without values that are not finite."""
    fine = np.isfinite(series.values)
    return Series(series.steps[fine], series.values[fine])


def thin(values: np.ndarray, most: int = MOST) -> np.ndarray:
    """At most so many values, evenly picked, the first and the last among them."""
    if len(values) <= most:
        return values
    return np.asarray(values[np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))])


def _carried(key: Key, results: Results) -> bool:
    return key in results.ended and results.ended[key].outcome in ("grokked", "generalised-at-once")

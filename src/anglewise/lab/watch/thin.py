"""A curve that grows, kept short: evaluations in buckets, and of each bucket its two extremes.

A bucket holds `stride` evaluations in a row and keeps the one with the lowest and the one with the highest value, in
the order of their steps, so that no dip and no jump is lost.  Once there are `most` full buckets, neighbours are merged
and the stride doubles.  The newest evaluation is always there.

Only the end of the curve changes, except where buckets are merged.  So an increment is the points from some place on.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

BULK = 50
"""Evaluations from which many are added at once."""
Point: TypeAlias = tuple[float, ...]
"""A step, the value that decides which points stay, and further values."""


class Change(NamedTuple):
    """Points that replace all of a curve from place `start` on."""

    start: int
    points: list[Point]


class Curve:
    """A curve that grows.

    Args:
        most: Full buckets at most, an even number; it keeps at most two points of each.

    Example:
        >>> curve = Curve(most=2)
        >>> for step, value in enumerate([0.1, 0.2, 0.9, 0.3, 0.4]):
        ...     curve.add((step, value), version=step)
        >>> curve.since(-1).points
        [(0, 0.1), (2, 0.9), (4, 0.4)]
    """

    def __init__(self, most: int = 60):
        self.most, self.stride, self.count = most, 1, 0
        self.full: list[list[Point]] = []
        self.versions: list[int] = []  # of each full bucket: the version that last changed it; they never fall
        self.open: list[Point] = []  # of the last bucket, which has `count` evaluations: its extremes and the newest
        self.version = -1

    def add(self, point: Point, version: int) -> None:
        """Add the next evaluation; `version` never falls."""
        if self.count == self.stride:
            self.full.append(_extremes(self.open))
            self.versions.append(self.version if self.full[-1] == self.open else version)
            self.open, self.count = [], 0
        if len(self.full) >= self.most:
            pairs = zip(self.full[::2], self.full[1::2], strict=True)
            self.full = [_extremes([*one, *two]) for one, two in pairs]
            self.versions = [version] * len(self.full)
            self.stride *= 2
        self.open = sorted({*_extremes([*self.open, point]), point})
        self.count, self.version = self.count + 1, version

    def extend(self, columns: Sequence[np.ndarray], version: int) -> None:
        """Add many evaluations, given as columns of equal length, to the same effect as one after the other."""
        n = len(columns[0])
        if self.open or n < BULK:
            for point in zip(*(column.tolist() for column in columns), strict=True):
                self.add(point, version)
            return
        while -(-n // self.stride) > self.most:
            self.stride *= 2
        values = np.where(np.isnan(columns[1]), -np.inf, columns[1])
        for start in range(0, n, self.stride):
            bucket = values[start : start + self.stride]
            places = {start + int(bucket.argmin()), start + len(bucket) - 1 - int(bucket[::-1].argmax())}
            last = start + self.stride >= n
            kept = sorted(places | {n - 1} if last else places)
            points = list(zip(*(column[kept].tolist() for column in columns), strict=True))
            if last:
                self.open, self.count, self.version = points, len(bucket), version
            else:
                self.full.append(points)
                self.versions.append(version)

    @property
    def points(self) -> list[Point]:
        """All that is kept, in the order of steps."""
        return self.since(-1).points

    def since(self, version: int) -> Change:
        """What changed after a version; no points where nothing did."""
        first = bisect_right(self.versions, version)
        start = sum(map(len, self.full[:first]))
        if first == len(self.full) and self.version <= version:
            return Change(start + len(self.open), [])
        return Change(start, [point for bucket in (*self.full[first:], self.open) for point in bucket])


def _extremes(points: Iterable[Point]) -> list[Point]:
    """The lowest and the highest of some points, in the order of steps; a value that is no number is the lowest."""
    ordered = sorted(points, key=lambda point: -math.inf if math.isnan(point[1]) else point[1])
    return sorted({ordered[0], ordered[-1]}) if ordered else []

"""The state of a running experiment: what each seed showed last, how fast it goes, how long it may take."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np


class Seed(NamedTuple):
    """What one run showed last."""

    step: int
    train_accuracy: float
    test_accuracy: float
    radius: Mapping[str, float]


class Line(NamedTuple):
    """One arm now; medians are over the seeds that are training, or over the ended ones when none is."""

    arm: str
    done: int
    total: int
    running: bool
    step: float | None
    train_accuracy: float | None
    test_accuracy: float | None
    radius: dict[str, float]
    outcomes: Counter[str]


class Board:
    """Counts what the runner tells it; draws nothing.

    Args:
        totals: Seeds planned, by arm.
        done: Seeds that need no training, by arm.
        budget: Steps at most.
        clock: Seconds, for the pace.
    """

    def __init__(
        self,
        totals: Mapping[str, int],
        done: Mapping[str, int],
        budget: int,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.totals, self.before, self.budget, self.clock = dict(totals), dict(done), budget, clock
        self.running: dict[str, dict[int, Seed]] = {arm: {} for arm in totals}
        self.ended: dict[str, dict[int, Seed]] = {arm: {} for arm in totals}
        self.outcomes: dict[str, Counter[str]] = {arm: Counter() for arm in totals}
        self.began = clock()
        self.trained = 0

    def update(self, arm: str, seed: int, now: Seed, steps: int) -> None:
        """A seed has trained so many steps more and shows this."""
        self.running[arm][seed] = now
        self.trained += steps

    def finish(self, arm: str, seed: int, outcome: str) -> None:
        """A seed has ended."""
        self.ended[arm][seed] = self.running[arm].pop(seed, Seed(self.budget, np.nan, np.nan, {}))
        self.outcomes[arm][outcome] += 1

    @property
    def pace(self) -> float:
        """Steps per second since the start, over all seeds together."""
        return self.trained / max(self.clock() - self.began, 1e-9)

    def left(self) -> float | None:
        """Seconds to the end, None before the first step.

        A seed still to train is expected to take as many steps as its arm's ended seeds took on average,
        which allows for early retirement; the budget where none has ended.
        """
        if not self.trained:
            return None
        steps = 0.0
        for arm, total in self.totals.items():
            ended = [seed.step for seed in self.ended[arm].values()]
            expected = float(np.mean(ended)) if ended else float(self.budget)
            waiting = total - self.before.get(arm, 0) - len(ended) - len(self.running[arm])
            steps += waiting * expected
            steps += sum(max(expected - s.step, 0.05 * expected) for s in self.running[arm].values())
        return steps / self.pace

    def line(self, arm: str) -> Line:
        """One arm now."""
        shown = list((self.running[arm] or self.ended[arm]).values())
        sites = dict.fromkeys(site for seed in shown for site in seed.radius)
        return Line(
            arm,
            self.before.get(arm, 0) + len(self.ended[arm]),
            self.totals[arm],
            bool(self.running[arm]),
            _median([s.step for s in shown]),
            _median([s.train_accuracy for s in shown]),
            _median([s.test_accuracy for s in shown]),
            {site: _number(_median([s.radius.get(site, np.nan) for s in shown])) for site in sites},
            self.outcomes[arm],
        )


def _median(values: list[float] | list[int]) -> float | None:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else None


def _number(value: float | None) -> float:
    return np.nan if value is None else value

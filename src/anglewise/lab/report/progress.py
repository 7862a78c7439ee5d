"""The state of a running experiment: what each seed showed last, how fast it goes, how long it may take."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from anglewise.lab.report.pace import Pace


class Seed(NamedTuple):
    """What one run showed last."""

    step: int
    train_accuracy: float
    test_accuracy: float
    radius: Mapping[str, float]


class Left(NamedTuple):
    """Seconds to the end.

    Args:
        about: The estimate; None where no run has ended yet, so that nothing says how soon they end.
        most: If every run took the whole budget.
    """

    about: float | None
    most: float


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
        self.totals, self.before, self.budget = dict(totals), dict(done), budget
        self.running: dict[str, dict[int, Seed]] = {arm: {} for arm in totals}
        self.ended: dict[str, dict[int, Seed]] = {arm: {} for arm in totals}
        self.outcomes: dict[str, Counter[str]] = {arm: Counter() for arm in totals}
        self.pace = Pace(clock)

    def update(self, arm: str, seed: int, now: Seed, steps: int, seconds: float) -> None:
        """A seed shows this.

        Args:
            arm: Its arm.
            seed: Which.
            now: What it shows.
            steps: How many it has trained since its update before.
            seconds: In its training program since its start; see :meth:`Pace.note`.
        """
        self.running[arm][seed] = now
        self.pace.note(arm, seed, now.step, steps, seconds)

    def finish(self, arm: str, seed: int, outcome: str) -> None:
        """A seed has ended."""
        self.ended[arm][seed] = self.running[arm].pop(seed, Seed(self.budget, np.nan, np.nan, {}))
        self.outcomes[arm][outcome] += 1

    @property
    def waiting(self) -> dict[str, int]:
        """Seeds that have not begun, by arm."""
        begun = {arm: self.before.get(arm, 0) + len(self.ended[arm]) + len(self.running[arm]) for arm in self.totals}
        return {arm: total - begun[arm] for arm, total in self.totals.items()}

    @property
    def done(self) -> bool:
        """Whether nothing is left to train."""
        return not any(self.waiting.values()) and not any(self.running.values())

    def left(self) -> Left | None:
        """How long it may take, None before the first step.

        A seed is expected to take as many steps as its arm's ended seeds took on average, those that took fewer than
        it has taken left out; where all took fewer, a quarter more than it has taken.  An arm without an ended seed is
        expected to take as long as those of the other arms.
        """
        if self.pace.steps_per_second is None:
            return None
        everywhere = [seed.step for ended in self.ended.values() for seed in ended.values()]
        new = sum(waiting > 0 and arm not in self.pace.arms for arm, waiting in self.waiting.items())
        about = most = self.pace.to_compile(new)
        for arm, waiting in self.waiting.items():
            ended = [seed.step for seed in self.ended[arm].values()] or everywhere
            running = [seed.step for seed in self.running[arm].values()]
            each = self.pace.per_step(arm)
            about += each * waiting * self._ahead(0, ended) + each * sum(self._ahead(step, ended) for step in running)
            most += each * (waiting * self.budget + sum(self.budget - step for step in running))
        return Left(about if everywhere else None, most)

    def _ahead(self, step: int, ended: list[int]) -> float:
        """Steps that a seed at this step is expected to take still."""
        longer = [end for end in ended if end > step]
        return float(np.mean(longer)) - step if longer else min(step / 4, self.budget - step)

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
